"""Logistic regression without negative coefficients, and how good probabilities are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = Any
ROUNDS = 50
RIDGE = 1e-4
"""Per example: keeps coefficients finite where the figures separate all."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One question: what features its ten best memories have, (10, 3), and which of them are its evidence, (10,)."""

    own: bool
    """It is one of the person's own questions, not a stranger's."""
    features: Floats
    answers: Floats


def fit(groups: list[tuple[float, list[Observed]]], columns: list[int]) -> list[float]:
    """Return intercept and coefficients; each group of questions counts by its weight, however many they are.

    A feature with a negative coefficient is left out (0): more of it cannot speak against an answer.
    """
    features = np.concatenate([each.features[:, columns] for _, group in groups for each in group])
    answers = np.concatenate([each.answers for _, group in groups for each in group])
    sizes = [sum(len(each.answers) for each in group) for _, group in groups]
    weights = np.repeat([weight / size for (weight, _), size in zip(groups, sizes, strict=True)], sizes)
    weights *= len(answers)
    used = list(range(len(columns)))
    while True:
        intercept, *found = _newton(features[:, used], answers, weights)
        if min(found) >= 0:
            break
        used.pop(int(np.argmin(found)))
    all_of_them = dict(zip(used, found, strict=True))
    return [intercept, *(all_of_them.get(column, 0.0) for column in range(len(columns)))]


def _newton(features: Floats, answers: Floats, weights: Floats) -> list[float]:
    """Fit by iteratively reweighted least squares."""
    inputs = np.column_stack([np.ones(len(features)), features])
    penalty = RIDGE * weights.sum() * np.diag([0.0, *([1.0] * features.shape[1])])
    found = np.zeros(inputs.shape[1])
    for _ in range(ROUNDS):
        probability = 1 / (1 + np.exp(-inputs @ found))
        gradient = inputs.T @ (weights * (answers - probability)) - penalty @ found
        curvature = (inputs.T * (weights * probability * (1 - probability))) @ inputs + penalty
        found += np.linalg.solve(curvature, gradient)
    return [float(each) for each in found]


def area_under_curve(positive: Floats, negative: Floats) -> float:
    """Return the chance that one of the first is greater than one of the second (Mann and Whitney)."""
    _, place, counts = np.unique(np.concatenate([positive, negative]), return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[place]
    above = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def reliability(probability: Floats, answers: Floats, bins: int = 10) -> list[tuple[float, float, int]]:
    """Return of each tenth of the range the mean probability, the share that answers, and how many there are."""
    tenth = np.minimum((probability * bins).astype(int), bins - 1)
    return [
        (float(probability[inside].mean()), float(answers[inside].mean()), int(inside.sum()))
        for inside in (tenth == number for number in range(bins))
        if inside.any()
    ]


def calibration_error(table: list[tuple[float, float, int]]) -> float:
    """Return the mean distance between probability and share."""
    return sum(abs(said - was) * many for said, was, many in table) / sum(many for *_, many in table)
