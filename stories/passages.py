"""What a conversation is found by: for each of its messages one text to embed and the words to count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from stories.processors.base import Message
from stories.words import date_words, words

ASKS = "?"
"""Stands among the words of a message that ends in a question; no text gives it, so it cannot be searched for."""

MAX_EMBEDDED = 2_000
"""Characters of a message that are embedded: a mean over more than that says little."""
MAX_CONTEXT = 300
"""Characters of the message before it that are embedded with it: its end, where a question stands."""

_ASKING = re.compile(r"[?\uff1f\u061f]\W*$")
_NOTE = re.compile(r"\[[^\[\]]*\]\s*$")

Dates = Callable[[str, datetime], Iterable[date]]
"""The days that a text names, seen from when it was said."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """One message as search sees it, still in clear: seal, blind and cloak it before it is stored."""

    message_id: str
    position: int
    embedded: str = field(repr=False)
    words: tuple[str, ...] = field(repr=False)

    @property
    def length(self) -> int:
        """The number of words, for BM25; the mark of a question is none."""
        return len(self.words) - (ASKS in self.words)


def passages(messages: Sequence[Message], dates: Dates | None = None, language: str = "english") -> list[PassageText]:
    """One passage for each message of a conversation, in the order given.

    A reply is often meaningless without what it replies to ("Yes, twice!"), so each message is embedded together with
    the end of the one before it. Its words are its own, its author's name and the day: `dates` adds the days it names.
    """
    made: list[PassageText] = []
    before = ""
    for position, message in enumerate(messages):
        text = message.text.strip()
        counted = [*words(message.author, language), *words(text, language), *date_words(message.sent_at)]
        for day in dict.fromkeys(dates(text, message.sent_at) if dates else ()):
            counted += date_words(day)
        if asks(text):
            counted.append(ASKS)
        embedded = f"{_end(before)} {text[:MAX_EMBEDDED]}".strip()
        made.append(PassageText(message.id, position, embedded, tuple(counted)))
        before = text
    return made


def asks(text: str) -> bool:
    """Whether a message ends in a question; a note in brackets after it ("[image: a dog]") does not count."""
    return bool(_ASKING.search(_NOTE.sub("", text.rstrip()[-MAX_EMBEDDED:])))


def _end(text: str) -> str:
    """The last characters of a text, from the start of a word."""
    if len(text) <= MAX_CONTEXT:
        return text
    return text[-MAX_CONTEXT:].partition(" ")[2]
