"""Long conversations: which part of them is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.processors.base import Message, Transcript
from stories.processors.openai_compatible.prompt import LONGEST_MESSAGE, window_of
from tests.cast import DAY


def conversation(*sizes: int) -> Transcript:
    return Transcript(
        "", tuple(Message(f"m{n}", "Ada", "x" * size, DAY + timedelta(n)) for n, size in enumerate(sizes))
    )


def test_what_fits_is_sent_whole():
    window = window_of(conversation(10, 20, 30), 2_000)
    assert (list(window.numbered), window.left_out) == ([1, 2, 3], 0)


def test_the_middle_is_left_out_and_the_model_is_told():
    window = window_of(conversation(*[900] * 30), 10_000)
    assert list(window.numbered) == [1, 2, 3, *range(24, 31)]
    sent = json.loads(window.text)["messages"]
    assert sent[6:9] == [["20 messages left out"], ["Thu 2026-06-04 09:30"], "24 Ada: " + "x" * 900]
    assert window.numbered[24].id == "m23"


@pytest.mark.parametrize("budget", [2_000, 48_000])
def test_one_huge_message_is_cut_to_its_beginning(budget):
    window = window_of(conversation(1_000_000), budget)
    [_, message] = json.loads(window.text)["messages"]
    assert message == "1 Ada: " + "x" * min(LONGEST_MESSAGE, budget // 2) + " […]"


@given(st.lists(st.integers(0, 6_000), min_size=1, max_size=60), st.integers(2_000, 20_000))
def test_it_is_always_json_within_the_budget_with_the_end_in_it(sizes, budget):
    window = window_of(conversation(*sizes), budget)
    messages = json.loads(window.text)["messages"]
    numbers = [int(message.split()[0]) for message in messages if isinstance(message, str)]
    assert numbers == list(window.numbered)
    assert numbers[-1] == len(sizes)
    assert len(numbers) + window.left_out == len(sizes)
    assert len(window.text) <= budget + 100 + 2 * len(numbers)


def spoken(*moments: datetime) -> list[object]:
    """What is sent of messages said at these times, their numbers for the messages."""
    said = tuple(Message(f"m{n}", "Ada", "yes", at) for n, at in enumerate(moments))
    sent = json.loads(window_of(Transcript("", said), 2_000).text)["messages"]
    return [int(each.split()[0]) if isinstance(each, str) else each[0] for each in sent]


def test_the_time_is_written_once_for_messages_of_one_hour():
    later = [DAY + timedelta(minutes=minutes) for minutes in (0, 30, 59, 60, 61)]
    assert spoken(*later) == ["Tue 2026-05-12 09:30", 1, 2, 3, "Tue 2026-05-12 10:30", 4, 5]


def test_the_day_is_that_of_the_zone_in_which_it_was_said():
    west = datetime(2026, 5, 12, 23, 50, tzinfo=timezone(timedelta(hours=-5)))
    assert spoken(west, west + timedelta(minutes=15)) == ["Tue 2026-05-12 23:50", 1, "Wed 2026-05-13 00:05", 2]
    assert spoken(west, (west + timedelta(minutes=1)).astimezone(UTC))[2] == "Wed 2026-05-13 04:51"
