"""How many of the people and places that are named are found, and how many of those found are none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from stories.processors.base import Message, Transcript
from stories.processors.offline.names import people, places
from stories.processors.offline.processor import OfflineProcessor

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent.parent / "memories" / "sample" / "conversations.jsonl"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Told(NamedTuple):
    """A transcript, and who and where is named in it; spellings of one name with `|` between."""

    transcript: Transcript
    people: list[str]
    places: list[str]


class Figures(NamedTuple):
    recall: float
    precision: float


def sample() -> list[Told]:
    """The bundled sample."""
    named = json.loads((HERE / "names_in_sample.json").read_text(encoding="utf-8"))
    found = []
    for line in map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines()):
        title = line["conversation"]["title"]
        messages = tuple(
            Message(str(at), each["author"], each["text"], datetime.fromisoformat(each["sent_at"]))
            for at, each in enumerate(line["messages"])
        )
        found.append(Told(Transcript(title, messages), **named[title]))
    return found


def small() -> list[Told]:
    """Conversations of one to three messages, with names of many languages."""
    found = []
    for each in json.loads((HERE / "names_in_small.json").read_text(encoding="utf-8")):
        said = [text.removeprefix("Vibe: ") for text in each["said"]]
        authors = ["Vibe" if text.startswith("Vibe: ") else "Kim" for text in each["said"]]
        messages = tuple(
            Message(str(at), author, text, NOON) for at, (author, text) in enumerate(zip(authors, said, strict=True))
        )
        found.append(Told(Transcript("", messages), each["people"], each["places"]))
    return found


def measured(told: Iterable[Told], kind: str) -> Figures:
    """Figures of `people` or `places`. Who speaks and who is only somebody's relation is left out."""
    named = right = found = 0
    for each in told:
        draft = OfflineProcessor().compose(each.transcript)
        names = draft.places if kind == "places" else without_kin(draft.people, each.transcript.participants)
        got = {plain(name) for name in names}
        wanted = [{plain(spelling) for spelling in name.split("|")} for name in getattr(each, kind)]
        named += len(wanted)
        right += sum(bool(spellings & got) for spellings in wanted)
        found += len(got)
    return Figures(right / named, right / found)


def without_kin(names: Sequence[str], participants: Sequence[str]) -> list[str]:
    return [name for name in names if name not in participants and "'s " not in name]


def plain(name: str) -> str:
    return name.casefold().replace(".", "")


@pytest.mark.parametrize("told", [sample, small], ids=["sample", "small"])
@pytest.mark.parametrize("kind", ["people", "places"])
def test_most_who_and_where_are_found_and_little_else(told: object, kind: str) -> None:
    figures = measured(told(), kind)  # type: ignore[operator]
    assert figures.recall >= 0.8
    assert figures.precision >= 0.9


def test_without_titles_frames_and_names_of_the_world_few_people_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(people, "names_of_the_world", frozenset)
    monkeypatch.setattr(people, "TITLES", frozenset())
    assert measured(sample(), "people").recall < 0.6


def test_without_the_words_around_them_few_places_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(places, "PLACED", ())
    assert measured(sample(), "places").recall < 0.6
