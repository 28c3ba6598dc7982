"""A search narrowed by metadata: each member by name and value, blind, of one person alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from stories.models import Passage
from stories.search import filters
from stories.text.passages import MOST_METADATA
from tests.api.conftest import Api
from vibe.core.db.scopes import as_user

VOICE = {"channel": "voice", "turn": 1, "draft": False}


def add(person: Api, text: str, metadata: dict[str, Any]) -> str:
    conversation = person.post("/conversations", {}).json()["id"]
    said = {"author": "Ada", "text": text, "metadata": metadata}
    return str(person.post(f"/conversations/{conversation}/memories", said).json()["id"])


def found(person: Api, metadata: dict[str, Any] | None = None) -> list[str]:
    asked = {"question": "Where is the piano?"} | ({"metadata": metadata} if metadata is not None else {})
    return sorted(each["id"] for each in person.post("/memories/search", asked).json()["items"])


@pytest.fixture
def voice(as_ada: Api) -> str:
    return add(as_ada, "The piano is in the hall.", VOICE)


@pytest.fixture
def text(as_ada: Api) -> str:
    return add(as_ada, "The piano is in the kitchen.", {"channel": "text", "turn": "1"})


@pytest.mark.parametrize("by_ids", [filters.NAMED, 0])
def test_each_member_that_is_named_must_be_there_with_its_value(
    as_ada: Api, voice: str, text: str, monkeypatch: pytest.MonkeyPatch, by_ids: int
) -> None:
    """Whether those that are left are searched by their ids, or by the filter."""
    monkeypatch.setattr(filters, "NAMED", by_ids)
    assert found(as_ada) == found(as_ada, {}) == sorted([voice, text])
    assert found(as_ada, {"channel": "voice"}) == found(as_ada, {"turn": 1}) == found(as_ada, {"turn": 1.0}) == [voice]
    assert found(as_ada, {"draft": False, "channel": "voice"}) == [voice]
    assert found(as_ada, {"turn": "1"}) == [text]
    for other in (
        {"channel": "Voice"},
        {"Channel": "voice"},
        {"draft": 0},
        {"draft": None},
        {"channel": "text", "turn": 1},
    ):
        assert found(as_ada, other) == [], other


def test_stories_are_narrowed_by_it_too(as_ada: Api, voice: str, text: str) -> None:
    answer = as_ada.post("/stories/search", {"question": "Where is the piano?", "metadata": {"channel": "text"}}).json()
    assert [[each["memory_id"] for each in story["passages"]] for story in answer["items"]] == [[text]]


def test_what_is_changed_is_found_by_what_it_has_now(as_ada: Api, voice: str) -> None:
    assert as_ada.patch(f"/memories/{voice}", {"metadata": {"channel": "letter"}}).status_code == 200
    assert found(as_ada, {"channel": "voice"}) == []
    assert found(as_ada, {"channel": "letter"}) == [voice]


def test_anothers_is_not_found_and_has_other_tokens(
    ada: UUID, jonas: UUID, as_ada: Api, as_jonas: Api, voice: str
) -> None:
    theirs = add(as_jonas, "The piano is in the hall.", VOICE)
    again = add(as_ada, "The piano was in the hall.", VOICE)
    assert found(as_jonas, VOICE) == [theirs]
    assert found(as_ada, VOICE) == sorted([voice, again])
    with as_user(jonas):
        [jonas_tokens] = Passage.objects.of(jonas).values_list("metadata_index", flat=True)
    with as_user(ada):
        first, second = Passage.objects.of(ada).values_list("metadata_index", flat=True)
    assert not set(jonas_tokens) & set(first)
    assert len(set(first) & set(second)) == len(VOICE), "control: one person's are the same, and the rest is random"


def test_a_dump_does_not_tell_how_many_members_there_are(ada: UUID, as_ada: Api) -> None:
    for size in (0, 1, 4, 5, 17):
        add(as_ada, "The piano is in the hall.", {f"member {number}": number for number in range(size)})
    with as_user(ada):
        kept = Passage.objects.of(ada).order_by("id").values_list("metadata_index", flat=True)
        assert [each and len(each) for each in kept] == [None, 4, 4, MOST_METADATA, MOST_METADATA]


def test_only_the_first_members_are_kept_for_it(as_ada: Api) -> None:
    full = {f"member {number}": number for number in range(MOST_METADATA + 1)}
    memory = add(as_ada, "The piano is in the hall.", full)
    assert found(as_ada, {"member 15": 15}) == [memory]
    assert found(as_ada, {"member 16": 16}) == []
    refused = as_ada.post("/memories/search", {"question": "Where is the piano?", "metadata": full})
    assert (refused.status_code, refused.json()["code"]) == (400, "input")
