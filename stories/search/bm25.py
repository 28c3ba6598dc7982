"""Okapi BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009) over counts alone.

A word is a column number here: whether it stands for a word or for a blind token makes no difference to the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Counts = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """What BM25 must know of everything a person has, of which it may be given only a part.

    `size` texts, `mean_length` words each on average; `frequencies[t]`: how many of them hold the question's word t.
    """

    size: int
    mean_length: float
    frequencies: Counts

    @classmethod
    def of(cls, counts: Counts, lengths: Counts) -> Collection:
        """The figures of texts that are all at hand: counts (words, texts) and lengths (texts,)."""
        return cls(len(lengths), float(lengths.mean()) if len(lengths) else 0.0, np.count_nonzero(counts, axis=1))


def bm25(counts: Counts, lengths: Counts, collection: Collection, asked: Counts, *, k1: float, b: float) -> Floats:
    """The part that each word of a question plays in the score of each text: (words, texts), to be summed over words.

    `asked[t]`: how often the question has the word t. The weight of a word is log(1 + (N - n + 0.5) / (n + 0.5)),
    which is never negative.
    """
    relative = lengths / collection.mean_length if collection.mean_length else np.zeros(len(lengths))
    saturated: Floats = counts / (counts + k1 * (1 - b + b * relative)[None, :]) * (k1 + 1)
    return word_weights(collection, asked)[:, None] * saturated


def word_weights(collection: Collection, asked: Counts) -> Floats:
    """Return what each word of a question weighs: the rarer, the more."""
    n = collection.frequencies.astype(np.float64)
    rarity: Floats = np.log1p((np.maximum(collection.size, n) - n + 0.5) / (n + 0.5))
    return asked * rarity
