"""Memories are listed by what is noted of them: blind, exactly, the newest first, and of one person alone."""

from __future__ import annotations

from typing import Any

import pytest

from stories.filtering import services as filtering
from tests.api.conftest import Api

NOTES: list[dict[str, Any]] = [{"mood": "glad", "turn": 1}, {"mood": "calm"}, {"mood": "glad"}, {"turn": 1.0}, {}]


@pytest.fixture
def noted(as_ada: Api) -> list[str]:
    """A memory a day, the last of them without notes, in two conversations; and one of a picture, without a text."""
    made = []
    for day, metadata in enumerate([*NOTES, {"mime": "image/png"}], start=1):
        said = {"author": "Ada", "text": "" if "mime" in metadata else f"Day {day}.", "metadata": metadata}
        where = {"external_id": f"chat-{day % 2}", "companion": ("nova", "juno")[day % 2]}
        body = {**said, "occurred_at": f"2026-05-0{day}T10:00:00Z", "conversation": where}
        made.append(as_ada.post("/memories", body).json()["id"])
    return made


def listed(api: Api, **given: Any) -> list[str]:
    answer = api.post("/memories/filter", given)
    assert answer.status_code == 200, answer.content
    assert answer.json()["pending"] == 0
    return [each["id"] for each in answer.json()["items"]]


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({}, (6, 5, 4, 3, 2, 1)),
        ({"metadata": {"mood": "glad"}}, (3, 1)),
        ({"metadata": {"mood": "glad", "turn": 1}}, (1,)),
        ({"metadata": {"turn": 1}}, (4, 1)),
        ({"metadata": {"mood": "Glad"}}, ()),
        ({"metadata": {"mime": "image/png"}}, (6,)),
        ({"metadata_any": [{"mood": "glad"}, {"mood": "calm"}]}, (3, 2, 1)),
        ({"metadata_any": [{"mood": "calm"}, {"mood": "glad", "turn": 1}]}, (2, 1)),
        ({"metadata_any": [{"mood": "calm"}], "metadata": {"turn": 1}}, ()),
        ({"metadata_any": [{}]}, (6, 5, 4, 3, 2, 1)),
        ({"companion": "nova"}, (6, 4, 2)),
        ({"since": "2026-05-02T10:00:00Z", "until": "2026-05-04T10:00:00Z"}, (4, 3, 2)),
        ({"authors": ["Nobody"]}, ()),
        ({"roles": ["user"], "metadata": {"mood": "calm"}}, (2,)),
    ],
    ids=str,
)
def test_what_is_noted_is_listed(as_ada: Api, noted: list[str], given: Any, days: tuple[int, ...]) -> None:
    assert listed(as_ada, **given) == [noted[day - 1] for day in days]


def test_another_persons_are_not(as_ada: Api, as_jonas: Api, noted: list[str]) -> None:
    his = {"author": "Jonas", "text": "Mine.", "metadata": NOTES[0], "conversation": {"external_id": "chat-1"}}
    mine = as_jonas.post("/memories", his).json()
    assert listed(as_jonas, metadata={"mood": "glad"}) == [mine["id"]]
    conversation = as_ada.get(f"/memories/{noted[0]}").json()["conversation_id"]
    assert listed(as_jonas, conversation_id=conversation) == []


def test_pages_hold_each_once_and_a_cursor_is_of_its_filter(as_ada: Api, as_jonas: Api, noted: list[str]) -> None:
    seen, given, cursor = [], {"limit": 1, "metadata_any": [{"mood": "glad"}, {"mood": "calm"}]}, None
    while True:
        page = as_ada.post("/memories/filter", {**given, "cursor": cursor}).json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == [noted[2], noted[1], noted[0]]
    for api, other in ((as_jonas, given), (as_ada, {"limit": 1}), (as_ada, {**given, "companion": "nova"})):
        assert api.post("/memories/filter", {**other, "cursor": cursor}).json()["code"] == "cursor-invalid"


def test_what_is_changed_deleted_or_of_many_parts_is_listed_as_it_is(as_ada: Api, noted: list[str]) -> None:
    as_ada.patch(f"/memories/{noted[0]}", {"metadata": {"mood": "calm"}, "text": "Long. " * 2_000})
    as_ada.delete(f"/memories/{noted[2]}")
    assert listed(as_ada, metadata={"mood": "glad"}) == []
    assert listed(as_ada, metadata={"mood": "calm"}) == [noted[1], noted[0]]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"metadata": {str(at): at for at in range(17)}}, "input"),
        ({"metadata_any": [{str(at): at for at in range(17)}]}, "input"),
        ({"metadata_any": [{"a": 1}] * 17}, "invalid"),
        ({"metadata_any": [{"a": ["canary"]}]}, "invalid"),
        ({"question": "Where?"}, "invalid"),
        ({"limit": 0}, "invalid"),
        ({"cursor": "AAAA"}, "cursor-invalid"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_cannot_be_filtered_by_is_refused(as_ada: Api, given: Any, code: str) -> None:
    answer = as_ada.post("/memories/filter", given)
    assert answer.json()["code"] == code
    assert b"canary" not in answer.content


def test_control_without_its_conditions_all_are_listed(as_ada: Api, noted: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(filtering, "passage_conditions", lambda *_: iter(()))
    assert listed(as_ada, metadata={"mood": "glad"}) == noted[::-1]
