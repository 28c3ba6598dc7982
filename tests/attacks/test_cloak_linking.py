"""Attack: two people were told the same 1,000 texts; which of their stored vectors belong together?"""

from __future__ import annotations

import numpy as np

from tests.attacks.corpus import DIMENSIONS, embedded, hits, place_of_the_right_one, tries
from vibe.core.crypto.cloak import Cloak

PAIRS = tries(6, 100)


def stored(person: int, texts: np.ndarray) -> np.ndarray:
    return Cloak(person.to_bytes(32, "big"), DIMENSIONS).apply(texts)


def test_no_two_vectors_are_linked_better_than_by_chance():
    likeness = [stored(2 * pair, embedded()) @ stored(2 * pair + 1, embedded()).T for pair in range(PAIRS)]
    places = [place_of_the_right_one(each) for each in likeness]
    assert np.mean([hits(each) for each in likeness]) < 3  # by chance 1 of 1,000
    assert abs(np.mean(places) - 0.5) < 4 * np.std(places) / np.sqrt(PAIRS) + 0.01


def test_under_one_cloak_all_would_be_linked():
    """The negative control."""
    assert hits(stored(1, embedded()) @ stored(1, embedded()).T) == 1_000


def test_two_people_of_one_mind_are_no_nearer_than_two_of_different_minds():
    """Do the averages of two people tell that they speak of the same things?"""
    same, different = [], []
    for pair in range(PAIRS):
        one, other = embedded()[:200], embedded()[800:]
        here = stored(2 * pair, one).mean(axis=0)
        same.append(here @ stored(2 * pair + 1, one).mean(axis=0))
        different.append(here @ stored(2 * pair + 1, other).mean(axis=0))
    told_apart = np.mean([a > b for a in same for b in different])
    assert 0.2 < told_apart < 0.8


def test_the_same_two_texts_lie_equally_far_apart_in_both():
    """The limit: who holds the same texts has the same angles between them, to the last digits. Somebody who holds
    one whole set can look for its shape in the dump."""
    angles = [stored(person, embedded()[:20]) for person in (1, 2)]
    gram = [each @ each.T for each in angles]
    assert np.abs(gram[0] - gram[1]).max() < 1e-5
