"""BM25 against figures worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.search.scoring import Collection, bm25

COUNTS = np.array([[2, 0, 1], [0, 1, 0]])
LENGTHS = np.array([4, 2, 6])
ONCE = np.array([1, 1])


def test_by_hand() -> None:
    found = bm25(COUNTS, LENGTHS, Collection.of(COUNTS, LENGTHS), ONCE, k1=1.2, b=0.5)
    common, rare = log(1 + 1.5 / 2.5), log(1 + 2.5 / 1.5)  # in 2 of 3 texts, in 1 of 3
    assert found == pytest.approx(
        np.array(
            [
                [common * 2 * 2.2 / (2 + 1.2 * (0.5 + 0.5 * 1.0)), 0, common * 1 * 2.2 / (1 + 1.2 * (0.5 + 0.5 * 1.5))],
                [0, rare * 1 * 2.2 / (1 + 1.2 * (0.5 + 0.5 * 0.5)), 0],
            ]
        )
    )


def test_a_part_of_the_texts_scores_as_it_does_among_all() -> None:
    whole = Collection.of(COUNTS, LENGTHS)
    part = bm25(COUNTS[:, [2, 0]], LENGTHS[[2, 0]], whole, ONCE, k1=1.2, b=0.4)
    assert part == pytest.approx(bm25(COUNTS, LENGTHS, whole, ONCE, k1=1.2, b=0.4)[:, [2, 0]])


def test_asked_twice_counts_twice() -> None:
    once, twice = (
        bm25(COUNTS, LENGTHS, Collection.of(COUNTS, LENGTHS), np.array([times, 1]), k1=1.2, b=0.4) for times in (1, 2)
    )
    assert twice == pytest.approx(once * [[2], [1]])


def test_nothing_at_all() -> None:
    nothing = np.zeros((0, 0), dtype=np.int64)
    no_lengths = np.zeros(0, dtype=np.int64)
    assert bm25(nothing, no_lengths, Collection.of(nothing, no_lengths), no_lengths, k1=1.2, b=0.4).shape == (0, 0)
    empty_texts = bm25(COUNTS * 0, LENGTHS * 0, Collection.of(COUNTS * 0, LENGTHS * 0), ONCE, k1=1.2, b=0.4)
    assert empty_texts == pytest.approx(np.zeros((2, 3)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 50)), min_size=2, max_size=20))
def test_never_negative_more_is_better_and_longer_is_worse(texts: list[tuple[int, int]]) -> None:
    counts = np.array([[count for count, _ in texts]])
    lengths = np.array([length + count for count, length in texts])
    collection = Collection.of(counts, lengths)

    def score(counts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        return bm25(counts, lengths, collection, np.array([1]), k1=1.2, b=0.4)

    plain = score(counts, lengths)
    assert (plain >= 0).all()
    assert (score(counts + 1, lengths) >= plain).all()
    assert (score(counts, lengths + 1) <= plain).all()
