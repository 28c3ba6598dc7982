"""What a memory is found by: for each part of it one text to embed and the words to count."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stories.processors.base import Message
from stories.processors.offline.dates.resolving import find_dates
from stories.text.languages import ENGLISH, tongue_of
from stories.text.words import date_words, forms, own_words

ASKS = "?"
"""Stands among the words of a part that ends in a question. No text gives this word."""
DATES = "@"
"""Stands among the words of a part that names a time ("last Friday"). No text gives this word."""
FOREIGN = "#"
"""Stands among the words of a part that is not in English, and once more with its tongue behind it."""

WINDOW = 2_000
"""Characters of a part, at most: the vector of more than that says little."""
MAX_CONTEXT = 200
"""Characters of the message before it that are embedded with the first part: its end, where a question stands."""

_ASKING = re.compile(r"[?\uff1f\u061f][^\w?\uff1f\u061f]*$")
_NOTE = re.compile(r"\[[^\[\]]*\]\s*$")
_SENTENCE_ENDS = re.compile(r"[.!?\u3002\uff01\uff1f\u061f\n]")


@dataclass(frozen=True, slots=True)
class PassageText:
    """One part of a memory as search sees it, still in clear: blind and cloak it before it is stored."""

    part: int
    embedded: str = field(repr=False)
    words: tuple[str, ...] = field(repr=False)
    """All forms of its words, and the marks."""
    length: int
    """The number of its words, for BM25: neither their further forms count nor the marks."""


def passages(message: Message, before: Message | None = None) -> list[PassageText]:
    """Return the parts of a message, at least one.

    A reply is often meaningless without what it replies to ("Yes, twice!"), so it is embedded together with the end of
    the message before it, if somebody else said that. The words of a part are its own, the author's name, the day, and
    the times it names, resolved. A message without a text has one part without words: nothing finds it.
    """
    text = message.text.strip()
    if not text:
        return [PassageText(0, "", (), 0)]
    context = _end(before.text.strip()) if replies(message, before) and before else ""
    return [
        PassageText(part, f"{'' if part else context} {window}".strip(), *_counted(message, window))
        for part, window in enumerate(windows(text))
    ]


def replies(message: Message, before: Message | None) -> bool:
    """Return whether a message is embedded with the one before it: only across a change of speaker."""
    return before is not None and before.author != message.author


def windows(text: str) -> list[str]:
    """Return a text in pieces of at most WINDOW characters, cut after a sentence, else a word, where there is one."""
    found = []
    while len(text) > WINDOW:
        half = text[WINDOW // 2 : WINDOW]
        ends = [match.end() for match in _SENTENCE_ENDS.finditer(half)] or [half.rfind(" ") + 1 or WINDOW // 2]
        cut = WINDOW // 2 + ends[-1]
        found.append(text[:cut].strip())
        text = text[cut:].lstrip()
    return [piece for piece in (*found, text) if piece] or [text]


def _counted(message: Message, text: str) -> tuple[tuple[str, ...], int]:
    times = dict.fromkeys(str(dating.span) for dating in find_dates(text, message.sent_at))
    dated = [*date_words(message.sent_at), *own_words(" ".join(times))]
    said = [*forms(message.author, ENGLISH), *forms(text)]
    marks = [DATES] * bool(times) + [ASKS] * asks(text) + tongue_marks(tongue_of(text))
    return (*(form for word in said for form in word), *dated, *marks), len(said) + len(dated)


def tongue_marks(tongue: str) -> list[str]:
    """Return the marks of what is in a tongue; none in English, which most is."""
    return [] if tongue == ENGLISH else [FOREIGN, f"{FOREIGN}{tongue}"]


def asks(text: str) -> bool:
    """Return whether a text ends in a question; a note in brackets after it ("[image: a dog]") does not count."""
    return bool(_ASKING.search(_NOTE.sub("", text.rstrip()[-WINDOW:])))


def _end(text: str) -> str:
    """Return the last characters of a text, from the start of a word."""
    if len(text) <= MAX_CONTEXT:
        return text
    return text[-MAX_CONTEXT:].partition(" ")[2]
