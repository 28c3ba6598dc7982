"""Whether a memory in several languages is found, on the real path: sealed, blind, cloaked.

    python -m benchmarks.languages [--only CODE,…] [--english N]

A person has N messages in English (of the sample), and twelve notes in another language, one a day. Each note is asked
for in its language, and in English. The person `all` has the notes of every language, many of which say the same: each
is asked for in its own alone. Recall@k is the share of notes that are among the first k memories found; `mrr` the mean
of 1 / place.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database

NOTES = Path(__file__).with_suffix(".tsv")
SAMPLE = Path(__file__).resolve().parent.parent / "memories" / "sample" / "conversations.jsonl"
ENGLISH, ALL, CUTS = 200, "all", (1, 3)
BEGIN = datetime(2026, 1, 5, 18, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Note:
    """A note with two questions for it."""

    language: str
    text: str = field(repr=False)
    asked: str = field(repr=False)
    """In its language."""
    in_english: str = field(repr=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="codes of languages, with commas between; all are taken without it")
    parser.add_argument("--english", type=int, default=ENGLISH, help="messages in English")
    options = parser.parse_args()
    with throw_away_database():
        show(measure(options.only.split(",") if options.only else None, options.english))


def measure(only: Sequence[str] | None = None, english: int = ENGLISH) -> dict[str, Any]:
    """Tell and ask, a person for each language and one for all."""
    by_language: dict[str, list[Note]] = defaultdict(list)
    for note in notes():
        if not only or note.language in only:
            by_language[note.language].append(note)
    everybody = {**by_language, ALL: [note for each in by_language.values() for note in each]}
    messages = english_messages(english)
    return {language: asked(language, its, messages) for language, its in everybody.items()}


def notes() -> list[Note]:
    """The notes of all languages."""
    return [Note(*line.split("\t")) for line in NOTES.read_text(encoding="utf-8").splitlines()]


def english_messages(count: int) -> list[dict[str, Any]]:
    """The first conversations of the sample, up to a number of messages."""
    taken: list[dict[str, Any]] = []
    for line in map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines()):
        if count > 0:
            messages = line["messages"][:count]
            taken.append({"conversation": line["conversation"], "messages": messages})
            count -= len(messages)
    return taken


def asked(language: str, its: Sequence[Note], messages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Tell a person's messages and notes, and ask for each note."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from memories.models import Memory
    from stories.index.services import index_pending
    from vibe.core.db.scopes import as_user

    actor = Actor.system("benchmark")
    written = [
        {"id": f"n{at}", "author": "Kim", "text": note.text, "sent_at": (BEGIN + timedelta(days=at)).isoformat()}
        for at, note in enumerate(its)
    ]
    user = {"firebase_uid": f"speaks-{language}", "name": "Kim"}
    lines = [{"user": user, **each} for each in (*messages, {"conversation": {"id": "notes"}, "messages": written})]
    FileImport(actor=actor, strict=True).run(BytesIO("\n".join(map(json.dumps, lines)).encode()))
    user_id = find_person(user["firebase_uid"])
    index_pending(user_id=user_id, bulk_ones=True, actor=actor)
    with as_user(user_id):
        memories = {ids[0]: memory for ids, memory in Memory.objects.of(user_id).values_list("message_ids", "pk")}
    wanted = [memories[f"n{at}"] for at in range(len(its))]
    measured = {"own language": figures(user_id, [note.asked for note in its], wanted)}
    if language != ALL:
        measured["English"] = figures(user_id, [note.in_english for note in its], wanted)
    return measured


def figures(user_id: Any, questions: Sequence[str], wanted: Sequence[Any]) -> dict[str, float]:
    """Recall and mean reciprocal rank of one memory a question."""
    from stories.search.asking import read_asker, understood
    from stories.search.services import rank
    from vibe.core.db.scopes import as_user

    places = []
    for question, memory in zip(questions, wanted, strict=True):
        with as_user(user_id):
            asker = read_asker(user_id, question)
            found, ranking, _ = rank(understood(asker, question), asker)
        order = [found.memory(at) for at in ranking.passages.best().tolist()]
        places.append(order.index(memory) + 1)
    recall = {f"recall@{cut}": sum(place <= cut for place in places) / len(places) for cut in CUTS}
    return {**recall, "mrr": sum(1 / place for place in places) / len(places)}


if __name__ == "__main__":
    main()
