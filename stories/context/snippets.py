"""Of a long text the sentences that bear on a message."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from math import log1p

from stories.text.languages import ENGLISH
from stories.text.words import words

GAP = " \u2026 "
"""Stands where sentences were left out."""
LONGEST_SENTENCE = 300
"""Characters; what has no full stop for longer is cut at a space, or hard."""
LONGEST_READ = 20_000
"""Characters of a text that are looked at."""

_ENDS = re.compile(r"(?<=[.!?\u2026\u061f])\s|(?<=[\u3002\uff01\uff1f])|\n")

Size = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Sentences:
    """A text as sentences, each with those of its words that are looked for."""

    texts: tuple[str, ...] = field(repr=False)
    words: tuple[frozenset[str], ...] = field(repr=False)
    begins: bool = True
    ends: bool = True
    """Whether they are the first and the last of their text."""

    @classmethod
    def of(cls, text: str, wanted: Collection[str], *, begins: bool = True, ends: bool = True) -> Sentences:
        """Cut a text, or a part of one, into sentences. Its first LONGEST_READ characters are looked at."""
        texts = tuple(_sentences(text[:LONGEST_READ]))
        found = (frozenset(words(each, ENGLISH)).intersection(wanted) if wanted else frozenset() for each in texts)
        return cls(texts, tuple(found), begins, ends and len(text) <= LONGEST_READ)


def weights_of(texts: Iterable[Sentences]) -> Callable[[str], float]:
    """Return what says how much a word counts, by how few sentences have it, as in BM25."""
    sentences = [each for text in texts for each in text.words]
    counts = Counter(word for each in sentences for word in each)
    return lambda word: log1p((len(sentences) - counts[word] + 0.5) / (counts[word] + 0.5))


def snippet(sentences: Sentences, weight: Callable[[str], float], longest: int, size: Size) -> str:
    """Return the sentences of a text that bear most on what is looked for, in their order, of a size at most.

    Of those that bear alike the first are taken. Where no sentence fits, return the beginning of the best.
    """
    score = [sum(map(weight, each)) for each in sentences.words]
    best = sorted(range(len(score)), key=lambda at: -score[at])
    taken: set[int] = set()
    left = longest - size(GAP)
    for at in best:
        needs = size(sentences.texts[at]) + size(GAP)
        if needs <= left:
            taken.add(at)
            left -= needs
    if not taken and best:
        return _begun(sentences.texts[best[0]], longest - size(GAP), size)
    return _joined(sentences, taken)


def _begun(text: str, longest: int, size: Size) -> str:
    """Return as much of the beginning of a text as a size allows; nothing if that is nothing."""
    while (needs := size(text)) > longest > 0:
        text = text[: min(len(text) * longest // needs, len(text) - 1)]
    return f"{text.strip()}{GAP.rstrip()}" if longest > 0 and text.strip() else ""


def _joined(sentences: Sentences, taken: set[int]) -> str:
    """Return the sentences that were taken, with GAP where some are missing between them, or at either end."""
    pieces: list[str] = []
    for at in sorted(taken):
        if at - 1 not in taken and (at or not sentences.begins):
            pieces.append(GAP.strip())
        pieces.append(sentences.texts[at])
    if taken and (max(taken) < len(sentences.texts) - 1 or not sentences.ends):
        pieces.append(GAP.strip())
    return " ".join(pieces)


def _sentences(text: str) -> Iterable[str]:
    start = 0
    for end in (*(match.end() for match in _ENDS.finditer(text)), len(text)):
        yield from _short(text[start:end].strip())
        start = end


def _short(sentence: str) -> Iterable[str]:
    """Give a sentence in pieces that are not too long."""
    while len(sentence) > LONGEST_SENTENCE:
        cut = sentence.rfind(" ", LONGEST_SENTENCE // 2, LONGEST_SENTENCE) + 1 or LONGEST_SENTENCE
        yield sentence[:cut].strip()
        sentence = sentence[cut:].strip()
    if sentence:
        yield sentence
