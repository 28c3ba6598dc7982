"""Facts by the configured model: believed only where somebody said the words, and as lasting as what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from memories.models import Memory
from stories.facts.attributes import ATTRIBUTES
from stories.facts.services.changing import FactChange, correct_fact, forget_fact
from stories.facts.services.reading import list_facts
from stories.facts.timeline import Fact
from stories.models import Story
from stories.processors import configured
from stories.processors.openai_compatible import prompt, schema
from stories.signals import facts_left_out
from tests.building import build_conversation, converse
from tests.cast import TESTER
from tests.stories.openai.fake_service import STORY, FakeService, Reply, story_answer
from vibe.core.db.scopes import as_user

SAID = [
    ("user", "My place is in Porto these days, and the rabbit is called Bullseye.\nHe’s  lovely."),
    ("assistant", "I live in the cloud."),
    ("user", "I live in Lisbon now."),
]
HOME = {"message": 1, "quote": "My place is in Porto", "about": "home", "value": "Porto", "ended": False, "day": None}
PET = {**HOME, "quote": "the rabbit is called Bullseye", "about": "pet", "value": "Bullseye"}


def as_written(fact: dict[str, Any]) -> str:
    """A fact as the model is asked to write it."""
    about = " ".join(filter(None, [f"{'-' * fact['ended']}{fact['about'] or ''}", fact["day"]]))
    quotation = "" if fact["quote"] is None else f" | {fact['quote']}"
    return f"{fact['message']} {about}: {fact['value']}{quotation}"


@pytest.fixture
def tells(configure: Callable[..., None], settings: Any, service: FakeService) -> Iterator[Callable[..., None]]:
    """Let the model give these facts from now on: tells(HOME, PET)."""
    settings.STORY_PROCESSOR = "stories.processors.openai_compatible.processor.OpenAIProcessor"
    configured.processor.cache_clear()

    def tells(*facts: Any, **fields: Any) -> None:
        given = [as_written(each) if isinstance(each, dict) and "quote" in each else each for each in facts]
        service.always = Reply(story_answer({**STORY, "facts": given, **fields}))

    yield tells
    configured.processor().client.openai.close()  # type: ignore[attr-defined]
    configured.processor.cache_clear()


@pytest.fixture
def left_out() -> Iterator[list[tuple[int, int]]]:
    """What is counted as left out, for each story: unfounded, unfit."""
    counted: list[tuple[int, int]] = []

    def count(unfounded: int, unfit: int, **_: Any) -> None:
        counted.append((unfounded, unfit))

    facts_left_out.connect(count)
    yield counted
    facts_left_out.disconnect(count)


def known(user_id: UUID, **asked: Any) -> list[Fact]:
    return list_facts(user_id=user_id, actor=TESTER, **asked)


def values(user_id: UUID, attribute: str) -> list[str]:
    return [each.value for each in known(user_id, attributes={attribute})]


def test_a_fact_is_known_with_the_place_where_it_was_said(ada: UUID, tells: Callable[..., None]) -> None:
    tells({**PET, "quote": "The rabbit is  called BULLSEYE."[:-1]}, {**PET, "quote": "He's lovely", "value": "lovely"})
    build_conversation(ada, converse(ada, SAID))
    lovely, bullseye = sorted(known(ada, attributes={"pet"}), key=lambda each: each.sources[0].start, reverse=True)
    source = bullseye.sources[0]
    assert (bullseye.value, lovely.value) == ("Bullseye", "lovely")
    assert SAID[0][1][source.start : source.end] == "the rabbit is called Bullseye"
    with as_user(ada):
        assert Memory.objects.of(ada).get(pk=source.memory_id).role == "user"


UNFOUNDED = {
    "words that nobody said": {**PET, "quote": "my dog is called Rex", "value": "Rex"},
    "a value that is not in them": {**PET, "value": "Rex"},
    "another message's words": {**PET, "message": 3},
    "a message that was not sent": {**PET, "message": 9},
    "no quotation": {**PET, "quote": None},
    "an empty one": {**PET, "quote": " "},
    "a letter": {**PET, "quote": "B", "value": "B"},
    "no value": {**PET, "value": ""},
    "the word null": {**PET, "value": "null"},
    "about nothing": {**PET, "about": None},
    "a text": "pet: Bullseye",
    "a number": 3,
    "a list": ["pet"],
    "an object": {"pet": "Bullseye"},
}
UNFIT = {
    "an attribute that there is not": {**PET, "about": "shoe size"},
    "whatever was given up": {**PET, "about": "other"},
    "an assistant's word": {**HOME, "message": 2, "quote": "I live in the cloud", "value": "cloud"},
    "a day that is no day": {**PET, "about": "appointment", "day": "soon"},
    "a day that is over": {**PET, "about": "trip", "day": "2020-01-01"},
    "the end of any of several": {**PET, "value": "", "ended": True},
}


@pytest.mark.parametrize("bad", [*UNFOUNDED.values(), *UNFIT.values()], ids=[*UNFOUNDED, *UNFIT])
def test_what_does_not_hold_is_left_out_and_counted(
    ada: UUID, tells: Callable[..., None], left_out: list[tuple[int, int]], bad: Any
) -> None:
    tells(bad, HOME)
    build_conversation(ada, converse(ada, [*SAID[:2], ("user", "Good night.")]))
    assert [(each.attribute, each.value) for each in known(ada, history=True)] == [("home", "Porto")]
    assert left_out == [(1, 0) if bad in UNFOUNDED.values() else (0, 1)]


@pytest.mark.parametrize("facts", [None, "none", {}, 7, [], [None]])
def test_an_answer_without_facts_is_a_story(ada: UUID, tells: Callable[..., None], facts: Any) -> None:
    tells(facts=facts)
    build_conversation(ada, converse(ada, SAID[:1]))
    assert known(ada, history=True) == []
    with as_user(ada):
        assert Story.objects.of(ada).exclude(title=None).exists()


def test_control_without_the_quotation_an_invented_fact_is_known(
    ada: UUID, tells: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "place_of", lambda *_: (0, 3))
    monkeypatch.setattr(schema, "occurs", lambda *_: True)
    tells(UNFOUNDED["words that nobody said"])
    build_conversation(ada, converse(ada, SAID))
    assert values(ada, "pet") == ["Rex"]


def test_what_the_rules_read_too_is_one_fact(ada: UUID, tells: Callable[..., None]) -> None:
    tells({**HOME, "message": 3, "quote": "I live in Lisbon now", "value": "Lisbon now"})
    build_conversation(ada, converse(ada, SAID))
    (home,) = known(ada, attributes={"home"}, history=True)
    assert (home.value, len(home.sources)) == ("Lisbon", 1)


def test_told_again_it_keeps_its_id_and_what_is_not_told_any_more_goes(ada: UUID, tells: Callable[..., None]) -> None:
    conversation = converse(ada, SAID)
    tells(HOME, PET)
    build_conversation(ada, conversation)
    (before,) = known(ada, attributes={"pet"})
    tells(PET)
    build_conversation(ada, conversation)
    (after,) = known(ada, attributes={"pet"})
    assert after.id == before.id
    assert [each.value for each in known(ada, attributes={"home"}, history=True)] == ["Lisbon"]


@pytest.mark.parametrize("again", ["Bullseye", "rabbit is called Bullseye"])
def test_what_is_corrected_or_forgotten_stays_so_when_the_story_is_built_again(
    ada: UUID, tells: Callable[..., None], again: str
) -> None:
    conversation = converse(ada, SAID[:1])
    tells(HOME, PET)
    build_conversation(ada, conversation)
    (home,), (pet,) = (known(ada, attributes={each}) for each in ("home", "pet"))
    correct_fact(user_id=ada, fact_id=home.id, change=FactChange("Braga"), actor=TESTER)
    forget_fact(user_id=ada, fact_id=pet.id, actor=TESTER)
    tells({**HOME, "quote": "My place is in Porto these days", "value": "Porto these days"}, {**PET, "value": again})
    build_conversation(ada, conversation)
    assert values(ada, "home") == ["Braga"]
    assert known(ada, attributes={"pet"}, history=True) == []


def test_the_end_of_the_only_one_needs_no_value(ada: UUID, tells: Callable[..., None]) -> None:
    tells({**HOME, "quote": "the rabbit is called", "about": "home", "value": "", "ended": True, "message": 1})
    build_conversation(ada, converse(ada, [("user", "I live in Lisbon."), *SAID[:1]]))
    assert values(ada, "home") == ["Lisbon"], "the message named says no such thing"
    tells({**HOME, "message": 2, "quote": "these days", "value": "", "ended": True})
    build_conversation(ada, converse(ada, [("user", "Hello."), *SAID[:1]]))
    assert values(ada, "home") == []


def test_the_model_is_told_which_attributes_there_are() -> None:
    assert {*prompt.ATTRIBUTES.split()} < ATTRIBUTES - {"other"}
    assert prompt.ATTRIBUTES in prompt.TASK
