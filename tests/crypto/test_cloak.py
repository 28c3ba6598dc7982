"""The cloak keeps cosines inside one person, and is drawn evenly from all rotations."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vibe.core.crypto.cloak import Cloak

RANDOM = np.random.default_rng(12)


def vectors(count: int, dimensions: int) -> np.ndarray:
    made = RANDOM.standard_normal((count, dimensions)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("dimensions", [1, 2, 31, 32, 33, 64, 65, 384, 512])
def test_it_is_orthogonal(dimensions):
    matrix = Cloak(os.urandom(32), dimensions).apply(np.eye(dimensions, dtype=np.float32))
    assert matrix @ matrix.T == pytest.approx(np.eye(dimensions), abs=1e-5)


def test_it_keeps_every_cosine_and_length():
    before = vectors(100, 512)
    after = Cloak(os.urandom(32), 512).apply(before)
    assert after @ after.T == pytest.approx(before @ before.T, abs=1e-5)


def test_shorter_vectors_are_padded_and_keep_their_cosines():
    cloak, before = Cloak(os.urandom(32), 512), vectors(50, 384)
    after = cloak.apply(before)
    assert after.shape == (50, 512)
    assert after @ after.T == pytest.approx(before @ before.T, abs=1e-5)
    assert np.array_equal(after, cloak.apply(np.pad(before, ((0, 0), (0, 128)))))
    assert np.abs(after[:, 384:]).max() > 0.01  # the padding does not show


def test_longer_vectors_are_refused():
    with pytest.raises(ValueError, match="513 dimensions do not fit the cloak's 512"):
        Cloak(os.urandom(32), 512).apply(vectors(1, 513))


def test_none_at_all_give_none_at_all():
    assert Cloak(os.urandom(32), 16).apply(np.zeros((0, 16), dtype=np.float32)).shape == (0, 16)


def test_one_at_a_time_or_together_is_the_same():
    cloak, before = Cloak(os.urandom(32), 512), vectors(20, 512)
    alone = np.concatenate([cloak.apply(each[None]) for each in before])
    assert alone == pytest.approx(cloak.apply(before), abs=1e-6)


def test_what_was_given_is_left_as_it_was():
    before = vectors(5, 64)
    copy = before.copy()
    Cloak(os.urandom(32), 64).apply(before)
    assert np.array_equal(before, copy)


def test_rotations_are_drawn_evenly():
    """Under Haar measure each entry has mean 0 and variance 1/d, the trace mean 0 and variance 1, half are reflections
    (P. Diaconis and M. Shahshahani, "On the eigenvalues of random matrices", J. Appl. Probab. 31, 1994)."""
    dimensions, count = 24, 1500
    keys = (number.to_bytes(32, "big") for number in range(count))
    drawn = np.stack([Cloak(key, dimensions).apply(np.eye(dimensions, dtype=np.float32)) for key in keys])
    traces = np.trace(drawn, axis1=1, axis2=2)
    assert np.abs(drawn.mean(axis=0)).max() * np.sqrt(count * dimensions) < 4.5
    assert (drawn**2).mean(axis=0) * dimensions == pytest.approx(np.ones((dimensions, dimensions)), abs=0.2)
    assert abs(traces.mean()) * np.sqrt(count) < 4
    assert (traces**2).mean() == pytest.approx(1, abs=0.2)
    assert (np.linalg.det(drawn) > 0).mean() == pytest.approx(0.5, abs=0.06)


def test_threads_share_a_cloak():
    cloak, before = Cloak(os.urandom(32), 128), vectors(50, 128)
    expected = cloak.apply(before)
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(each, expected) for each in pool.map(lambda _: cloak.apply(before), range(40)))
