"""What is fetched of a passage: which words of the question it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stories.models import Passage
from stories.search.candidates import EPOCH, MICROSECOND, by_parts, holds, timeliness, token_values
from tests.cast import DAY
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk

TOKENS = st.integers(-(2**63), 2**63 - 1)


def held(words: list[int], asked: list[int]) -> list[int]:
    """Which words that are asked for a passage of these has."""
    columns = ", ".join(map(holds, range(len(asked))))
    passage = "(SELECT %(words)b::int8[] AS words) AS p"
    [row] = bulk.run(f"SELECT {columns} FROM {passage}", {**token_values(asked), "words": words})
    return list(row)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(passage=st.sets(TOKENS, max_size=40), others=st.lists(TOKENS, max_size=5))
def test_a_word_is_found_wherever_it_stands_and_no_other(passage: set[int], others: list[int]) -> None:
    """The first, the last, one before and one after all of them; and of a passage without a word none."""
    asked = [*passage, *others, -(2**63), 2**63 - 1]
    assert held(sorted(passage), asked) == [each in passage for each in asked]


@pytest.mark.django_db
def test_control_among_words_in_another_order_one_is_missed() -> None:
    assert held([3, 2, 1], [1, 2, 3]) != [1, 1, 1]


def test_a_passage_has_its_words_in_rising_order(ada_told: UUID) -> None:
    with as_user(ada_told):
        kept = [words for (words,) in Passage.objects.of(ada_told).values_list("words")]
    assert len(kept) > 3 and all(words == sorted(words) and len(words) > 2 for words in kept)


def test_a_word_counts_as_often_as_parts_of_its_memory_have_it() -> None:
    """Two words; a memory of four parts, one of one, and one of two."""
    counts = np.array([[1, 1, 1, 1, 1, 0, 1], [0, 1, 0, 1, 0, 1, 0]])
    memories, part = b"".join(each * 16 for each in (b"a", b"a", b"a", b"a", b"b", b"c", b"c")), [0, 1, 2, 3, 0, 0, 1]
    assert by_parts(counts, memories, np.array(part)).tolist() == [[3, 3, 3, 3, 1, 0, 1], [0, 2, 0, 2, 0, 1, 0]]
    assert by_parts(counts, memories, np.zeros(7, dtype=np.int64)).tolist() == counts.tolist()


def test_what_was_said_near_a_time_counts_less_the_farther_it_is() -> None:
    day = timedelta(days=1)
    week = (DAY, DAY + 7 * day)
    said = [DAY, DAY + 6 * day, DAY - 7 * day, DAY + 14 * day, DAY + 21 * day, DAY + 700 * day]
    near = timeliness([week], np.array([(each - EPOCH) // MICROSECOND for each in said]))
    assert near[:5] == pytest.approx([1, 1, 1 / 2, 1 / 2, 1 / 3])
    assert 0 < near[5] < 0.02
    first = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
    assert timeliness([week, first], np.array([0])).tolist() == [1], "of several the nearest counts"
