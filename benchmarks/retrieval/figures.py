"""Recall and reciprocal rank, averaged over questions, with what chance makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.retrieval.sets import SEED

ROUNDS = 1_000
TURN_CUTS, STORY_CUTS = (3, 5, 10, 20), (1, 3, 5)


class Figures:
    """What one way of searching made of each question, in the order in which they are asked."""

    def __init__(self, cuts: Sequence[int]) -> None:
        self.cuts = cuts
        self.values: dict[str, list[float]] = defaultdict(list)
        self.categories: list[str] = []

    def add(self, category: str, found: Sequence[Any], evidence: set[Any]) -> None:
        """Note where the evidence of a question stands among what was found, which is given best first."""
        places = [place for place, each in enumerate(found, start=1) if each in evidence]
        self.categories.append(category)
        for cut in self.cuts:
            self.values[f"recall@{cut}"].append(sum(place <= cut for place in places) / len(evidence))
        self.values["mrr"].append(1 / places[0] if places else 0.0)

    def summary(self) -> dict[str, Any]:
        """Return the means, in all and by category."""
        categories = np.array(self.categories)
        return {
            **{name: float(np.mean(values)) for name, values in self.values.items()},
            "by_category": {
                category: {name: float(np.mean(np.array(values)[categories == category]))
                           for name, values in self.values.items()}
                for category in sorted(set(self.categories))
            },
            "questions": len(self.categories),
        }  # fmt: skip

    def interval(self, name: str, other: Figures | None = None) -> list[float]:
        """Return where 95 % of the means of bootstrap samples lie: of a figure, or of what it is ahead of another's."""
        values = np.array(self.values[name]) - (np.array(other.values[name]) if other else 0)
        drawn = np.random.default_rng(SEED).integers(0, len(values), (ROUNDS, len(values)))
        return [float(each) for each in np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])]
