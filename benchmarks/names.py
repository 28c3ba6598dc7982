"""How many of the people and places that are named the offline processor finds, and how many of those found are none.

    python -m benchmarks.names [--wrong]

Four sets of the project's own writing: the bundled sample (names_in_sample.json), annotated before the rules;
names_small.jsonl, beside which the rules were written; names_other.jsonl, a hundred small conversations, and
names_aside.jsonl, sixty-one more, whose writer had not read the rules. The misses of the last are not to be looked at.

A line of the last three has what was `said` (an author may stand before a colon, Kim is the author otherwise), the
`people` and `places` named, with spellings of one name split by `|`, and what may be found or not (`either`).

`recall` is the share of those named that are found, `precision` the share of those found that are named. Who speaks and
who is only somebody's relation is left out. `distinct` counts a name once, however many conversations have it.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import show
from stories.processors.base import Message, Transcript
from stories.processors.offline.names.candidates import possible_names
from stories.processors.offline.processor import OfflineProcessor

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "memories" / "sample" / "conversations.jsonl"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
KINDS = ("people", "places")
AUTHOR = re.compile(r"([^\W\d_]+): ")


@dataclass(frozen=True, slots=True)
class Told:
    """A transcript, and who and where is named in it."""

    transcript: Transcript
    people: list[str]
    places: list[str]
    either: list[str] = field(default_factory=list)
    person: str = ""
    """Whose memory it is of; nobody's that is known if empty."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", action="store_true", help="print each miss, but of names_aside")
    wrong = parser.parse_args().wrong
    show(
        {
            name: {kind: measure(told(), kind, wrong=wrong and name != "aside") for kind in KINDS}
            for name, told in SETS.items()
        }
    )


def sample() -> list[Told]:
    named = json.loads((HERE / "names_in_sample.json").read_text(encoding="utf-8"))
    found = []
    for line in map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines()):
        title = line["conversation"]["title"]
        messages = tuple(
            Message(str(at), each["author"], each["text"], datetime.fromisoformat(each["sent_at"]))
            for at, each in enumerate(line["messages"])
        )
        found.append(Told(Transcript(title, messages), **named[title], person=line["user"]["firebase_uid"]))
    return found


def small() -> list[Told]:
    return _conversations("names_small")


def other() -> list[Told]:
    return _conversations("names_other")


def aside() -> list[Told]:
    return _conversations("names_aside")


SETS: dict[str, Callable[[], list[Told]]] = {"sample": sample, "small": small, "other": other, "aside": aside}


def measure(told: Iterable[Told], kind: str, *, wrong: bool = False) -> dict[str, Any]:
    """Compose each conversation, with the names that earlier ones of the same person gave, and count."""
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    named = right = found = false = 0
    persons: dict[str, bool] = {}
    for each in told:
        possible = {*possible_names(message.text for message in each.transcript.messages)}
        people, places = (
            frozenset(known[each.person, kind] & possible) if each.person else frozenset() for kind in KINDS
        )
        draft = OfflineProcessor().compose(replace(each.transcript, known_people=people, known_places=places))
        known[each.person, "people"].update(draft.people)
        known[each.person, "places"].update(draft.places)
        names = draft.places if kind == "places" else _without_kin(draft.people, each.transcript.participants)
        got = {_plain(name): name for name in names}
        neither = {*got} - {_plain(name) for name in each.either}
        named += len(getattr(each, kind))
        for name in getattr(each, kind):
            spellings = {_plain(spelling) for spelling in name.split("|")}
            hit = bool(spellings & {*got})
            persons[name] = persons.get(name, False) or hit
            right += hit
            neither -= spellings
            if wrong and not hit:
                print(f"missed: {kind} {name} | {_said(each)}")
        found += len(got) - len({_plain(name) for name in each.either} & {*got})
        false += len(neither)
        if wrong and neither:
            print(f"false: {kind} {[got[name] for name in neither]} | {_said(each)}")
    return {
        "named": named,
        "recall": round(right / named, 3),
        "precision": round(1 - false / max(found, 1), 3),
        "distinct": len(persons),
        "distinct_found": sum(persons.values()),
    }


def _conversations(name: str) -> list[Told]:
    found = []
    for line in map(json.loads, (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()):
        messages = []
        for at, text in enumerate(line.pop("said")):
            author = AUTHOR.match(text)
            said = text[author.end() :] if author else text
            messages.append(Message(str(at), author[1] if author else "Kim", said, NOON))
        found.append(Told(Transcript("", tuple(messages)), **line))
    return found


def _said(told: Told) -> str:
    return " / ".join(message.text for message in told.transcript.messages)[:300]


def _without_kin(names: Sequence[str], participants: Sequence[str]) -> list[str]:
    return [name for name in names if name not in participants and "'s " not in name]


def _plain(name: str) -> str:
    return name.casefold().replace(".", "")


if __name__ == "__main__":
    main()
