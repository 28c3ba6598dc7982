"""What a conversation is found by: for each of its messages one text to embed and the words to count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from stories.processors.base import Message
from stories.processors.offline.dates.resolving import find_dates
from stories.text.languages import ENGLISH
from stories.text.words import date_words, forms, own_words

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
    """All forms of its words, and the marks."""
    length: int
    """The number of its words, for BM25: neither their further forms count nor the marks."""


def passages(messages: Sequence[Message]) -> list[PassageText]:
    """One passage for each message of a conversation, in the order given.

    A reply is often meaningless without what it replies to ("Yes, twice!"), so each message is embedded together with
    the end of the one before it. Its words are its own, its author's name, the day, and the times it names, resolved.
    """
    made: list[PassageText] = []
    before = ""
    for position, message in enumerate(messages):
        text = message.text.strip()
        embedded = f"{_end(before)} {text[:MAX_EMBEDDED]}".strip()
        made.append(PassageText(message.id, position, embedded, *_counted(message, text)))
        before = text
    return made


def _counted(message: Message, text: str) -> tuple[tuple[str, ...], int]:
    times = dict.fromkeys(str(dating.span) for dating in find_dates(text[:MAX_DATED], message.sent_at))
    dated = [*date_words(message.sent_at), *own_words(" ".join(times))]
    said = [*forms(message.author, ENGLISH), *forms(text)]
    marks = [DATES] * bool(times) + [ASKS] * asks(text)
    return (*(form for word in said for form in word), *dated, *marks), len(said) + len(dated)


def asks(text: str) -> bool:
    """Whether a message ends in a question; a note in brackets after it ("[image: a dog]") does not count."""
    return bool(_ASKING.search(_NOTE.sub("", text.rstrip()[-MAX_EMBEDDED:])))


def _end(text: str) -> str:
    """The last characters of a text, from the start of a word."""
    if len(text) <= MAX_CONTEXT:
        return text
    return text[-MAX_CONTEXT:].partition(" ")[2]
