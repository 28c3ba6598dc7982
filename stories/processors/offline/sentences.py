"""Messages cut into sentences, with what is not speech (links, notes of attachments) left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stories.processors.base import Message

LONGEST = 400  # characters; what has no full stop for longer is cut at a space, or hard

ATTACHMENT = re.compile(
    r"\[(?:image|photo|picture|video|audio|voice|file|gif|sticker|attachment|link)\b[^\[\]\n]*\]", re.IGNORECASE
)
LINK = re.compile(r"\b(?:https?://|www\.)\S+")
CURLY = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\x00": " "})
SPACES = re.compile(r"[^\S\n]+")
EMOJI = r"[\u2600-\u27bf\U0001f1e6-\U0001faff\u200d\ufe0f]"
# Every part is linear on any input: white space is one sign by now, runs do not give back what they took.
END = re.compile(
    r"(?<=[.!?\u2026])[\"')\]]{0,3} "  # a full stop, what closes with it, and space
    r"|(?<=[\u3002\uff01\uff1f])|\n"  # signs that need no space; a new line
    rf"|(?<!{EMOJI}){EMOJI}++ ?(?=[A-Z]|$)"  # an emoji in the place of a full stop
)
# A full stop after these closes no sentence.
ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Dra|Prof|Sr|Sra|Srta|Mme|Mlle|St|Mt|Jr|vs|etc|e\.g|i\.e|approx|No)|\b[A-Z])\.$"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of one message; `position` counts through the transcript."""

    message: Message
    position: int
    text: str = field(repr=False)

    @property
    def author(self) -> str:
        return self.message.author.strip()

    @property
    def is_question(self) -> bool:
        return self.text.rstrip("\"') ").endswith(("?", "\uff1f", "?!"))


def speech(text: str) -> str:
    """The text without notes of attachments and links, quotes straightened, white space one sign wide."""
    lines = LINK.sub(" ", ATTACHMENT.sub("\n", text)).translate(CURLY).splitlines()
    return "\n".join(SPACES.sub(" ", line).strip() for line in lines)


def pieces(text: str) -> Iterator[str]:
    """The sentences of a text, none empty, none longer than LONGEST."""
    start = 0
    for end in END.finditer(text):
        if end[0] != "\n" and ABBREVIATION.search(text[max(start, end.start() - 8) : end.start()]):
            continue
        so_far = text[start : end.start()]
        yield from short_enough(so_far + end[0].rstrip() if end[0][:1] in "\"')]" else so_far)
        start = end.end()
    yield from short_enough(text[start:])


def short_enough(piece: str) -> Iterator[str]:
    start, length = 0, len(piece)
    while start < length:
        stop = min(start + LONGEST, length)
        if stop < length:
            space = piece.rfind(" ", start + 1, stop)
            stop = space if space > start else stop
        if part := " ".join(piece[start:stop].split()):
            yield part
        start = stop


def sentences_of(messages: tuple[Message, ...]) -> list[Sentence]:
    sentences: list[Sentence] = []
    for message in messages:
        for piece in pieces(speech(message.text)):
            sentences.append(Sentence(message, len(sentences), piece))
    return sentences
