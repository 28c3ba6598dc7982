"""How passages and stories are scored: the knobs of search, BM25, and the probability that a passage answers.

Okapi BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009) goes over counts alone. A word is a
column number: whether it stands for a word or for a blind token makes no difference to the figures.

The score of a ranking only puts passages in order. Its probability is a logistic regression over three figures of each
passage (Platt, "Probabilistic Outputs for Support Vector Machines", 1999): how near in meaning, and how many of the
question's words, the best passages come, and how far this one is behind the best. The first two are of the question and
comparable between questions; by the third a better place never has a smaller probability. The numbers are what
benchmarks.calibration prints. What each knob gives is measured in docs/search.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

ASSISTED: Final = {"conversation": 0.6, "substance": 0.0, "asking": 0.0, "opening": 0.3, "length": 0.1}
"""Where an assistant takes part. It answers everything at length, people tell it what matters in requests and
questions, of any length, and a conversation is about one matter, which they name first."""
ALONE: Final = {"conversation": 0.0, "substance": 0.0, "vector": 0.65}
"""For notes, where one person talks: each stands by itself."""

Floats = NDArray[np.floating]
Counts = NDArray[np.integer]

TOP = 10
"""The best passages, of which the nearest, and the one with most of the question's words, count."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Round numbers, none of them delicate: half of any, or half as much again, costs a point of recall at most."""

    saturation: float = 1.2
    """BM25's k1: how soon one more of the same word stops counting."""
    length: float = 0.4
    """BM25's b for passages: how much a long one must justify its length. Messages are short, so less than usual."""
    story_length: float = 0.75
    """BM25's b for stories, which differ more in length."""

    vector: float = 0.5
    """Share of meaning in a passage's own score; the rest is words. Without vectors it is all words."""
    near_words: tuple[float, ...] = (0.5, 0.3)
    """What a word counts that stands one, two, ... messages away: question and answer share their words."""
    asking: float = 0.1
    """Taken off a message that asks: it seldom holds the answer."""
    dated: float = 0.3
    """For a message that names a time, if the question asks for one."""
    time: float = 0.3
    """For what was said in a time that the question names, fading outside of it."""
    newest: float = 0.5
    """For the newest of what fits best, if that is preferred."""
    substance: float = 0.3
    """For a long message over a short one: it says more. As the logarithm of its words, full at a hundred."""

    conversation: float = 0.3
    """For a passage, how well its whole conversation fits."""
    conversation_vector: float = 0.3
    """Share of meaning (the mean of its three nearest passages) in how well a conversation fits; the rest is words."""
    opening: float = 0.0
    """For what a person opens a conversation with an assistant with."""
    speaker: float = 0.3
    """For the words of the one whom the question is about."""
    assistant: float = 0.2
    """Taken off what an assistant, a tool or the system said; if that is asked for, twice as much is added."""

    best_passages: float = 0.7
    """Share of its best passages in a story's score; the rest is how well the whole fits."""
    runners_up: float = 0.5
    """What the mean of the second and third best passage counts beside the best."""

    def mixed(self, assisted: float, alone: float) -> Weights:
        """Return the weights for a person of whose passages these shares are ASSISTED, and ALONE.

        All of a person's passages are ranked by the same weights, or those of one kind would go before the others.
        """
        mean = {
            name: (1 - assisted - alone) * own + assisted * ASSISTED.get(name, own) + alone * ALONE.get(name, own)
            for name, own in ((name, getattr(self, name)) for name in (*ASSISTED, *ALONE))
        }
        return replace(self, **mean)


SEVERAL: Final = Weights(conversation=0.0)
"""For a question that asks for several things: they were said in as many conversations."""


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


@dataclass(frozen=True, slots=True)
class Calibration:
    """The coefficients of what `features` returns."""

    intercept: float
    meaning: float
    words: float
    behind: float

    def probability(self, features: Floats) -> Floats:
        """Return the probability of each passage, (N,), in the four digits that are shown."""
        logit = self.intercept + features @ np.array([self.meaning, self.words, self.behind])
        probability: Floats = np.round(np.exp(-np.logaddexp(0, -logit)), 4)
        return probability


OFFLINE = Calibration(-2.5, 3.3, 0.5, 5.6)
"""For cosines of the offline embedder."""
BY_WORDS = Calibration(-1.4, 0.0, 0.8, 5.5)
"""For where there is no vector, or one of a model whose cosines were not measured."""


def features(score: Floats, similarity: Floats | None, counts: Counts, weights: Floats) -> Floats:
    """Return the figures of each passage, (N, 3): meaning, words, behind.

    `weights` are those of the question's words, (T,), as BM25 weighs them.
    """
    if not len(score):
        return np.zeros((0, 3))
    best = np.argpartition(-score, TOP)[:TOP] if len(score) > TOP else np.arange(len(score))
    total = float(weights.sum())
    words = float((weights @ (counts[:, best] > 0)).max(initial=0.0)) / total if total else 0.0
    meaning = 0.0 if similarity is None else max(0.0, float(np.fmax.reduce(similarity[best])))
    return np.column_stack(
        [np.full(len(score), each) for each in (np.nan_to_num(meaning), words)] + [score - score.max()]
    )
