"""What a person corrects in a story stands and is found, whatever is told anew, until what it was made over is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from audit.models import AuditLog
from memories.services.changing import change_memory, delete_memory
from stories.building.corrections import Changes
from stories.building.services import build as services
from stories.building.services.build import build_story
from stories.building.services.lineage import check_lineage
from stories.corrections.services import correcting
from stories.corrections.services.correcting import correct_story
from stories.entities.services import list_entities
from stories.models import Entity, Passage, SearchSet, Story
from stories.processors.base import Event
from stories.reading.services import OpenedStory, open_story
from stories.rebuilding.services import request_rebuild
from stories.search.filters import Filters
from stories.search.services import search_stories
from tests.building import build_all, converse, say, stories_of
from tests.cast import TESTER
from tests.stories.conftest import (
    LISBON,
    BrokenEmbedder,
    HashedEmbedder,
    conversation_of,
    external_ids,
    memory_saying,
)
from vibe.core.crypto.errors import SealBroken
from vibe.core.db.schema.owned import Versions, version_of
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import InputError, NotFound, Outdated


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


def id_of(user_id: UUID, external_id: str = "lisbon") -> UUID:
    with as_user(user_id):
        of = Story.objects.of(user_id).filter(conversation_id=conversation_of(user_id, external_id))
        return UUID(str(of.values_list("pk", flat=True).get()))


def correct(user_id: UUID, story_id: UUID | None = None, expected: Versions | None = None, **changes: object) -> int:
    return correct_story(
        user_id=user_id,
        story_id=story_id or id_of(user_id),
        changes=Changes(**changes),  # type: ignore[arg-type]
        actor=TESTER,
        expected=expected,
    )


def read(user_id: UUID) -> OpenedStory:
    return open_story(user_id=user_id, story_id=id_of(user_id), actor=TESTER)


def read_at(user_id: UUID, story_id: UUID) -> tuple[str | None, int]:
    found = open_story(user_id=user_id, story_id=story_id, actor=TESTER)
    return found.title, len(found.memory_ids)


def places(user_id: UUID) -> set[str]:
    return {each.name for each in list_entities(user_id=user_id, kind="place", actor=TESTER)}


EVERYTHING: dict[str, object] = {
    "title": "The year of the zeppelin",
    "text": "Ada went to live by the river Tagus, and Tomas hurt his foot.",
    "people": ("Tomas Tavares",),
    "places": ("Belém",),
    "events": (Event("Tomas", "hurt his foot", date(2026, 5, 8), "day", ""),),
}


def test_every_field_is_corrected_alone(ada_told: UUID) -> None:
    before = read(ada_told)
    for number, (name, value) in enumerate(EVERYTHING.items(), start=1):
        assert correct(ada_told, **{name: value}) == before.revision + number
        after = read(ada_told)
        assert getattr(after, name) == value
        assert after.corrected == tuple(EVERYTHING)[:number]
        for other in list(EVERYTHING)[number:]:
            assert getattr(after, other) == getattr(before, other)
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []


@pytest.mark.parametrize("cause", ["asked for", "another message", "a changed memory"])
def test_a_correction_survives_being_built_again(ada: UUID, cause: str) -> None:
    conversation = converse(ada, LISBON, external_id="lisbon")
    build_all(ada)
    correct(ada, title=EVERYTHING["title"], places=EVERYTHING["places"])
    told = read(ada).text
    if cause == "asked for":
        request_rebuild(user_id=ada, story_id=id_of(ada), actor=TESTER)
    elif cause == "another message":
        say(ada, conversation, "Rui", "I painted the door green in Coimbra.")
    else:
        change_memory(user_id=ada, memory_id=memory_saying(ada, 1).pk, text="Who carried the harp?", actor=TESTER)
        kept = read(ada)
        assert (kept.title, kept.places, kept.text) == (EVERYTHING["title"], EVERYTHING["places"], None)
    assert build_all(ada) == 1
    after = read(ada)
    assert (after.title, after.places) == (EVERYTHING["title"], EVERYTHING["places"])
    assert after.corrected == ("title", "places")
    assert ("Rui" in after.people) == (cause == "another message"), "what was not corrected is the processor's"
    assert (after.text == told) == (cause != "another message")
    assert places(ada) == {"Belém"}
    assert check_lineage(user_id=ada, actor=TESTER).faults == []


def test_a_corrected_story_is_found_by_its_correction(ada_told: UUID) -> None:
    def found(question: str, **filters: object) -> list[str]:
        answer = search_stories(
            user_id=ada_told, question=question, actor=TESTER, filters=Filters(**filters), limit=2  # type: ignore[arg-type]
        )  # fmt: skip
        return external_ids(ada_told, answer)

    assert found("marathon")[0] == "marathon"
    correct(ada_told, title="The year of the zeppelin", places=["Belém"])
    assert found("zeppelin")[0] == "lisbon"
    assert found("anything", places=["Belém"]) == ["lisbon"]
    assert found("anything", places=["Lisbon"]) == [], "it is not in Lisbon any more"
    answer = search_stories(user_id=ada_told, question="zeppelin", actor=TESTER, limit=1)
    shown = answer.stories[0].passages[0]
    assert (shown.memory, shown.text, shown.message_ids) == (None, "The year of the zeppelin", ())
    assert {"words", "vector"} <= shown.why.keys()
    request_rebuild(user_id=ada_told, story_id=id_of(ada_told), actor=TESTER)
    build_all(ada_told)
    assert found("zeppelin")[0] == "lisbon"


def test_vectors_follow_the_corrected_text(ada_told: UUID) -> None:
    def vectors() -> tuple[list[float], list[float]]:
        with as_user(ada_told):
            story = Story.objects.of(ada_told).get(pk=id_of(ada_told))
            return story.embedding, Passage.objects.of(ada_told).get(memory=None).embedding

    correct(ada_told, text="Zeppelins.")
    first = vectors()
    correct(ada_told, text="Submarines.")
    second = vectors()
    assert first[0] != second[0]
    assert first[1] != second[1]
    correct(ada_told, people=["Tomas"])
    assert vectors() == second
    request_rebuild(user_id=ada_told, story_id=id_of(ada_told), actor=TESTER)
    build_all(ada_told)
    for anew, before in zip(vectors(), second, strict=True):
        assert anew == pytest.approx(before, abs=1e-3)


def test_counts_follow_the_correction(ada_told: UUID) -> None:
    for changes, passages in (({"title": "One"}, 7), ({"title": "Two"}, 7), ({"people": []}, 7), ({"text": "x"}, 7)):
        correct(ada_told, **changes)
        with as_user(ada_told):
            assert SearchSet.objects.of(ada_told).get().passages == Passage.objects.of(ada_told).count() == passages
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []


def test_forgotten_on_request(ada_told: UUID) -> None:
    before = read(ada_told)
    correct(ada_told, **EVERYTHING)
    request_rebuild(user_id=ada_told, story_id=id_of(ada_told), actor=TESTER, forget_corrections=True)
    build_all(ada_told)
    after = read(ada_told)
    assert (after.title, after.text, after.places) == (before.title, before.text, before.places)
    assert (after.corrected, after.corrected_at) == ((), None)
    assert places(ada_told) == {"Lisbon"}
    with as_user(ada_told):
        assert Passage.objects.of(ada_told).filter(memory=None).count() == 0


@pytest.mark.parametrize("many", [1, 3])
def test_a_correction_goes_with_a_memory_that_it_was_made_over(ada_told: UUID, many: int) -> None:
    """It may say again what that memory said."""
    correct(ada_told, text="The flat in Lisbon has a blue door.", places=["Belém"])
    for _ in range(many):
        delete_memory(user_id=ada_told, memory_id=memory_saying(ada_told, 0).pk, actor=TESTER)
    assert "Belém" not in places(ada_told), "at once, not only when it is built again"
    with as_user(ada_told):
        left = list(Story.objects.of(ada_told).filter(conversation_id=conversation_of(ada_told, "lisbon")))
        assert [(story.corrected, story.text) for story in left] == ([([], None)] if many == 1 else [])
        assert Passage.objects.of(ada_told).filter(memory=None).count() == 0
    build_all(ada_told)
    assert many == 3 or "blue door" not in str(read(ada_told).text)
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []


def test_control_the_check_finds_a_correction_that_outlived_its_memory(ada_told: UUID) -> None:
    """A memory deleted past the verb leaves the correction, and the check of lineage says so."""
    correct(ada_told, text="The flat in Lisbon has a blue door.")
    with as_user(ada_told):
        memory_saying(ada_told, 0).delete()
    found = {fault.what for fault in check_lineage(user_id=ada_told, actor=TESTER).faults}
    assert "story that says what a deleted memory said" in found


def test_a_correction_made_while_the_story_is_built_is_not_lost(
    ada_told: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = services.compose

    def disturbed(*source: object) -> object:
        monkeypatch.setattr(services, "compose", alone)
        correct(ada_told, title="Mine")
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "compose", disturbed)
    assert not build_story(user_id=ada_told, story_id=id_of(ada_told), actor=TESTER)
    assert read(ada_told).title == "Mine"
    assert build_all(ada_told) == 1
    assert read(ada_told).title == "Mine"


def test_a_corrected_episode_is_never_cut(ada: UUID, settings: Any) -> None:
    settings.EPISODE_MEMORIES = 6
    conversation = converse(ada, LISBON, external_id="lisbon")
    build_all(ada)
    correct(ada, title="Mine")
    for number in range(5):
        say(ada, conversation, "Ada", f"And then the {number}th thing happened.")
    build_all(ada)
    sizes = [read_at(ada, each) for each in stories_of(ada)]
    assert [(title, size) for title, size in sizes if title == "Mine"] == [("Mine", 8)]


def test_two_corrections_at_once_both_stand(ada_told: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    embed, times = correcting.vectors_of, []

    def disturbed(*arguments: object) -> object:
        times.append(1)
        if len(times) == 1:
            correct(ada_told, places=["Belém"])
        return embed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(correcting, "vectors_of", disturbed)
    correct(ada_told, title="Mine")
    after = read(ada_told)
    assert (after.title, after.places, after.corrected) == ("Mine", ("Belém",), ("title", "places"))


def test_another_version_than_expected_is_refused(ada_told: UUID) -> None:
    seen = frozenset({version_of(read(ada_told))})
    assert correct(ada_told, expected=seen, title="One") == 3
    with pytest.raises(Outdated):
        correct(ada_told, expected=seen, title="Two")
    assert read(ada_told).title == "One"


def test_an_older_value_does_not_open_under_the_new_revision(ada_told: UUID) -> None:
    with as_user(ada_told):
        old = Story.objects.of(ada_told).get(pk=id_of(ada_told)).title
    correct(ada_told, places=["Belém"])
    with as_user(ada_told):
        Story.objects.of(ada_told).filter(pk=id_of(ada_told)).update(title=old)
    with pytest.raises(SealBroken):
        read(ada_told)


def test_without_an_embedder_the_words_stand_and_a_job_adds_the_vectors(
    ada_told: UUID, use_embedder: Callable[[object], None]
) -> None:
    use_embedder(BrokenEmbedder())
    correct(ada_told, title="The year of the zeppelin", text="Zeppelins.")
    with as_user(ada_told):
        assert Passage.objects.of(ada_told).get(memory=None).embedding is None
    answer = search_stories(user_id=ada_told, question="zeppelin", actor=TESTER, limit=1)
    assert external_ids(ada_told, answer) == ["lisbon"]
    use_embedder(HashedEmbedder())
    assert build_all(ada_told) == 1
    with as_user(ada_told):
        assert Passage.objects.of(ada_told).get(memory=None).embedding is not None
    assert read(ada_told).title == "The year of the zeppelin"


BAD: dict[str, dict[str, object]] = {
    "nothing": {},
    "an empty title": {"title": " \n"},
    "a long title": {"title": "x" * 301},
    "a long text": {"text": "x" * 100_001},
    "a number": {"title": 7},
    "a lone surrogate": {"text": "Ada's secret \ud800"},
    "names as one text": {"people": "Tomas"},
    "a name that is none": {"people": [None]},
    "an empty name": {"places": [""]},
    "too many names": {"places": [f"Place {number}" for number in range(301)]},
    "an event of nothing": {"events": [Event("Ada", "", None, "none", "")]},
    "a date without precision": {"events": [Event("Ada", "ran", date(2026, 5, 1), "none", "")]},
    "a precision without date": {"events": [Event("Ada", "ran", None, "day", "")]},
    "an event of another memory": {"events": [Event("Ada", "ran", None, "none", str(UUID(int=7)))]},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_correction_changes_nothing_and_is_not_repeated(ada_told: UUID, name: str) -> None:
    before = read(ada_told)
    with pytest.raises(InputError) as caught:
        correct(ada_told, **BAD[name])
    assert "secret" not in str(caught.value)
    assert read(ada_told) == before


def test_nobody_corrects_anybody_elses(ada_told: UUID, jonas_told: UUID) -> None:
    with pytest.raises(NotFound):
        correct(jonas_told, id_of(ada_told), title="Mine")
    with pytest.raises(NotFound):
        request_rebuild(user_id=jonas_told, story_id=id_of(ada_told), actor=TESTER)
    assert read(ada_told).corrected == ()


def test_it_is_on_record_by_the_names_of_fields(ada_told: UUID) -> None:
    correct(ada_told, title="Zeppelin", places=["Belém"])
    with as_support():
        row = AuditLog.objects.get(action="story.correct", subject=ada_told)
    revisions = {"stories": {str(id_of(ada_told)): 3}}
    assert row.details == {"fields": ["places", "title"], "revision": 3, "revisions": revisions}
    assert "Zeppelin" not in repr(Changes(title="Zeppelin"))


def test_names_that_nothing_bears_any_more_are_forgotten(ada_told: UUID) -> None:
    with as_user(ada_told):
        before = Entity.objects.of(ada_told).filter(kind="place").count()
    correct(ada_told, places=[])
    with as_user(ada_told):
        assert Entity.objects.of(ada_told).filter(kind="place").count() == before - 1
