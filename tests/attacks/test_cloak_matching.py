"""Attack: a stolen dump, the public embedding model, and 1,000 sentences, one of them right for each stored vector."""

from __future__ import annotations

import numpy as np
import pytest

from tests.attacks.corpus import DIMENSIONS, embedded, hits, place_of_the_right_one, tries
from vibe.core.crypto.cloak import Cloak

PEOPLE = tries(8, 100)


def stored(person: int) -> np.ndarray:
    return Cloak(person.to_bytes(32, "big"), DIMENSIONS).apply(embedded())


def centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(axis=0)


def sizes(vectors: np.ndarray) -> np.ndarray:
    return np.sort(np.abs(vectors), axis=1)


WAYS = {
    "cosine": lambda dump, known: dump @ known.T,
    "centred": lambda dump, known: centred(dump) @ centred(known).T,
    "sizes of the numbers": lambda dump, known: sizes(dump) @ sizes(known).T,
    "first numbers": lambda dump, known: dump[:, :16] @ known[:, :16].T,
}


@pytest.mark.parametrize("way", WAYS)
def test_no_stored_vector_is_told_from_chance(way):
    found = [WAYS[way](stored(person), embedded()) for person in range(PEOPLE)]
    places = [place_of_the_right_one(each) for each in found]
    assert np.mean([hits(each) for each in found]) < 3  # by chance 1 of 1,000
    assert abs(np.mean(places) - 0.5) < 4 * np.std(places) / np.sqrt(PEOPLE) + 0.01


def test_uncloaked_every_vector_would_be_told():
    """The negative control."""
    assert hits(embedded() @ embedded().T) == 1_000


def test_a_cloak_that_leans_would_show():
    """The negative control of the drawing: left without the signs of the diagonal, the map turns each vector around a
    little, and the right sentence stands out as the one that is least alike."""
    straight, leaning = [], []
    for person in range(PEOPLE):
        cloak = Cloak(person.to_bytes(32, "big"), DIMENSIONS)
        straight.append(place_of_the_right_one(-cloak.apply(embedded()) @ embedded().T))
        cloak._signs = np.ones(DIMENSIONS, dtype=np.float32)
        leaning.append(place_of_the_right_one(-cloak.apply(embedded()) @ embedded().T))
    assert np.mean(leaning) < 0.4 < np.mean(straight)


def test_who_knows_all_of_a_persons_texts_can_order_them_by_how_they_resemble_each_other():
    """The limit: inside one person the cosines are kept, so that a whole set of vectors has the shape of its texts."""
    dump, known = stored(1)[::-1], embedded()
    shapes = [np.sort(each @ each.T, axis=1)[:, ::20] for each in (dump, known)]
    distance = np.linalg.norm(shapes[0][:, None] - shapes[1][None], axis=2)
    assert hits(-distance[::-1]) > 900
