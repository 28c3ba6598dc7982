"""What a conversation is found by: for each of its messages one text to embed and the words to count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stories.processors.base import Message
from stories.processors.offline.dates.resolving import find_dates
from stories.text.words import date_words, words

ASKS = "?"
"""Stands among the words of a message that ends in a question. No text gives this word."""
DATES = "@"
"""Stands among the words of a message that names a time ("last Friday"). No text gives this word."""

MAX_EMBEDDED = 2_000
"""Characters of a message that are embedded: a mean over more than that says little."""
MAX_DATED = 4_000
"""Characters of a message that are read for the times it names."""
MAX_CONTEXT = 200
"""Characters of the message before it that are embedded with it: its end, where a question stands."""

_ASKING = re.compile(r"[?\uff1f\u061f][^\w?\uff1f\u061f]*$")
_NOTE = re.compile(r"\[[^\[\]]*\]\s*$")


@dataclass(frozen=True, slots=True)
class PassageText:
    """One message as search sees it, still in clear: seal, blind and cloak it before it is stored."""

    message_id: str
    position: int
    embedded: str = field(repr=False)
    words: tuple[str, ...] = field(repr=False)

    @property
    def length(self) -> int:
        """The number of words, for BM25; the marks are none."""
        return sum(word not in (ASKS, DATES) for word in self.words)


def passages(messages: Sequence[Message], language: str = "english") -> list[PassageText]:
    """One passage for each message of a conversation, in the order given.

    A reply is often meaningless without what it replies to ("Yes, twice!"), so each message is embedded together with
    the end of the one before it. Its words are its own, its author's name, the day, and the times it names, resolved.
    """
    made: list[PassageText] = []
    before = ""
    for position, message in enumerate(messages):
        text = message.text.strip()
        embedded = f"{_end(before)} {text[:MAX_EMBEDDED]}".strip()
        made.append(PassageText(message.id, position, embedded, tuple(_counted(message, text, language))))
        before = text
    return made


def _counted(message: Message, text: str, language: str) -> Iterator[str]:
    yield from words(message.author, language)
    yield from words(text, language)
    yield from date_words(message.sent_at)
    if times := dict.fromkeys(str(dating.span) for dating in find_dates(text[:MAX_DATED], message.sent_at)):
        yield from words(" ".join(times))
        yield DATES
    if asks(text):
        yield ASKS


def asks(text: str) -> bool:
    """Whether a message ends in a question; a note in brackets after it ("[image: a dog]") does not count."""
    return bool(_ASKING.search(_NOTE.sub("", text.rstrip()[-MAX_EMBEDDED:])))


def _end(text: str) -> str:
    """The last characters of a text, from the start of a word."""
    if len(text) <= MAX_CONTEXT:
        return text
    return text[-MAX_CONTEXT:].partition(" ")[2]
