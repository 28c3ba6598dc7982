"""What else is said: messages of LoCoMo, if the file is there, else sentences put together here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2015, 1, 5, 9, tzinfo=UTC)
SESSION, GAP = 25, timedelta(hours=9)
"""Messages that follow each other by half a minute, and the pause after them."""
LINE = 5_000
"""Messages in one line of an import."""
WHO = ("I", "My sister", "The teacher", "Our neighbour", "A friend from work", "Grandmother", "The doctor", "Dad")
DID = ("talked about", "worried about", "laughed about", "planned", "dreamt of", "read about", "forgot", "described")
WHAT = (
    "the long walk by the lake", "a film with too many dragons", "the new kitchen shelves", "tomatoes on the balcony",
    "a song from the radio", "the heat of last summer", "learning to knit", "the noise of the road works",
    "a birthday cake with cherries", "the bus that never comes", "a jigsaw of two thousand pieces", "running shoes",
)  # fmt: skip
WHEN = ("this morning", "over coffee", "after work", "at the weekend", "on the phone", "before breakfast", "last week")


def said(data: Path | None) -> Iterator[tuple[str, str]]:
    """Author and text of messages without end, no text twice."""
    known = list(_locomo(data)) if data else []
    known = known or [
        ("Ada" if (at + of) % 2 else "Companion", f"{who} {did} {what} {when}.")
        for at, who in enumerate(WHO) for of, what in enumerate(WHAT) for did in DID for when in WHEN
    ]  # fmt: skip
    yield from known
    turn = 0
    while True:
        turn += 1
        for at, (author, text) in enumerate(known):
            other = known[(7 * at + 13 * turn) % len(known)][1]
            yield author, f"{text} {other[:120]} {turn if turn > 40 else ''}".strip()


def _locomo(data: Path) -> Iterator[tuple[str, str]]:
    seen = set()
    with (data / "conversations.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            for message in json.loads(line)["messages"]:
                if message["text"] not in seen:
                    seen.add(message["text"])
                    yield message["author"], message["text"]


def conversation(person: str, name: str, texts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The lines of an import with one conversation of these, in sessions, long ago."""
    lines, at = [], START
    for first in range(0, len(texts), LINE):
        messages = []
        for number, (author, text) in enumerate(texts[first : first + LINE], start=first):
            at += timedelta(seconds=30) if number % SESSION else GAP
            messages.append({"id": f"m{number}", "author": author, "text": text, "sent_at": at.isoformat()})
        user = {"firebase_uid": person, "name": "Ada Tavares"}
        lines.append({"user": user, "conversation": {"id": name}, "messages": messages})
    return lines
