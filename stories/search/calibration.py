"""From the score of a ranking, which only puts passages in order, to the probability that a passage answers.

Logistic regression over three figures of each passage (Platt, "Probabilistic Outputs for Support Vector Machines",
1999): how near in meaning, and how many of the question's words, the best passages come, and how far this one is behind
the best. The first two are of the question and comparable between questions; by the third a better place never has a
smaller probability. The numbers are what benchmarks.calibration
prints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stories.search.bm25 import Counts, Floats

TOP = 10
"""The best passages, of which the nearest, and the one with most of the question's words, count."""


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
        probability: Floats = np.round(1 / (1 + np.exp(-logit)), 4)
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
