"""Long conversations: which part of them is sent."""

from __future__ import annotations

import json
from datetime import timedelta

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
    assert json.loads(window.text)["messages"][3] == {"left_out": 20}
    assert window.numbered[24].id == "m23"


@pytest.mark.parametrize("budget", [2_000, 48_000])
def test_one_huge_message_is_cut_to_its_beginning(budget):
    window = window_of(conversation(1_000_000), budget)
    [message] = json.loads(window.text)["messages"]
    assert message["text"] == "x" * min(LONGEST_MESSAGE, budget // 2) + " […]"


@given(st.lists(st.integers(0, 6_000), min_size=1, max_size=60), st.integers(2_000, 20_000))
def test_it_is_always_json_within_the_budget_with_the_end_in_it(sizes, budget):
    window = window_of(conversation(*sizes), budget)
    messages = json.loads(window.text)["messages"]
    numbers = [message["message"] for message in messages if "message" in message]
    assert numbers == list(window.numbered)
    assert numbers[-1] == len(sizes)
    assert len(numbers) + window.left_out == len(sizes)
    assert len(window.text) <= budget + 100 + 2 * len(numbers)
