"""Attack: somebody knows some of a person's texts and which stored vectors are theirs, and computes the rotation.

This is the limit of the cloak, not something it withstands. With as many pairs as dimensions the rotation falls; and
since embeddings fill only some of their dimensions, far fewer are enough to place most of the rest.
"""

from __future__ import annotations

import numpy as np

from tests.attacks.corpus import DIMENSIONS, embedded, hits
from vibe.core.crypto.cloak import Cloak


def fitted(known: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """The rotation that takes one to the other best (P. Schönemann, "A generalized solution of the orthogonal
    Procrustes problem", Psychometrika 31, 1966)."""
    left, _, right = np.linalg.svd(known.T @ stored)
    return left @ right


def matched(pairs: int, *, person: int = 1, known_of: int = 1) -> float:
    """The share of other vectors that are told after so many known pairs."""
    order = np.random.default_rng(3).permutation(len(embedded()))
    given, rest = order[:pairs], order[pairs:]
    cloaks = {each: Cloak(each.to_bytes(32, "big"), DIMENSIONS) for each in (person, known_of)}
    rotation = fitted(embedded()[given], cloaks[known_of].apply(embedded()[given]))
    found = embedded()[rest] @ rotation @ cloaks[person].apply(embedded()[rest]).T
    return hits(found.T) / len(rest)


def test_as_many_pairs_as_dimensions_give_the_rotation():
    assert matched(DIMENSIONS) == 1.0
    random = np.random.default_rng(4).standard_normal((DIMENSIONS, DIMENSIONS)).astype(np.float32)
    cloak = Cloak(bytes(32), DIMENSIONS)
    rotation = np.linalg.solve(random.astype(float), cloak.apply(random).astype(float))
    assert np.abs(rotation - cloak.apply(np.eye(DIMENSIONS, dtype=np.float32))).max() < 0.01


def test_a_few_dozen_pairs_already_place_most_of_the_rest():
    told = {pairs: matched(pairs) for pairs in (1, 128)}
    assert told[1] < 0.02
    assert told[128] > 0.9


def test_the_rotation_of_one_person_is_nothing_against_another():
    assert matched(DIMENSIONS, person=2, known_of=1) < 0.02
