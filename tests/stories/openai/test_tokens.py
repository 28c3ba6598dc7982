"""What a growing episode costs: the prompt is sent each time that its size doubles, so every word in it counts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from stories.processors.base import Message, Transcript
from stories.processors.openai_compatible import prompt
from tests.cast import DAY
from tests.stories.openai.fake_service import FakeService, Reply, story_answer

DOUBLINGS = (1, 2, 4, 8, 16, 32, 40)
"""Messages in an episode of 40 whenever it is built: at doublings, and at its closing."""
FROM_FIVE = (5, 10, 20, 40)
WORDS = (
    *("the", "dog", "that", "we", "met", "by", "the", "river", "last", "summer", "is", "called", "Kim", "and", "she"),
    *("likes", "nobody", "but", "my", "old", "neighbour", "who", "feeds", "her", "bread", "from", "his", "window"),
)


def pieces(texts: Iterable[str]) -> int:
    """Words and marks, each for itself: close to what tokenizers count in plain English."""
    return sum(len(re.findall(r"[A-Za-z]+|\d{1,3}|[^\w\s]+", text)) for text in texts)


def episode(count: int, words: int, seconds: float) -> Transcript:
    said = (" ".join((WORDS * 3)[at % 28 :][:words]).capitalize() + "." for at in range(count))
    return Transcript(
        "Kim",
        tuple(
            Message(f"m{at}", ("Ada", "Tomas")[at % 2], text, DAY + timedelta(seconds=seconds * at))
            for at, text in enumerate(said)
        ),
    )


def sent_for_said(teller: Any, service: FakeService, builds: Sequence[int], words: int, seconds: float) -> float:
    """How many pieces are sent, schema included, for each that was said."""
    service.requests.clear()
    for count in builds:
        teller.compose(episode(count, words, seconds))
    sent = [
        text
        for request in service.requests
        for text in (*(each["content"] for each in request["messages"]), json.dumps(request["response_format"]))
    ]
    assert len(service.requests) == len(builds)
    return pieces(sent) / pieces(message.text for message in episode(40, words, seconds).messages)


@pytest.mark.parametrize("seconds", [0.2, 90])
@pytest.mark.parametrize(("builds", "words"), [(DOUBLINGS, 28), (FROM_FIVE, 14)], ids=["long", "short"])
def test_an_episode_costs_no_more_than_six_times_what_was_said(
    processor: Callable[..., Any], service, builds, words, seconds
):
    assert sent_for_said(processor(), service, builds, words, seconds) <= 6


@pytest.mark.parametrize(("builds", "words"), [(DOUBLINGS, 28), (FROM_FIVE, 14)], ids=["long", "short"])
def test_lines_that_say_more_than_they_must_would_cost_too_much(
    processor: Callable[..., Any], service, monkeypatch, builds, words
):
    """The control: with names of fields and the time in every message it is beyond that."""

    def line_of(number: int, message: Message, _: int) -> str:
        said = {"message": number, "at": message.sent_at.isoformat(), "author": message.author, "text": message.text}
        return json.dumps(said)

    monkeypatch.setattr(prompt, "line_of", line_of)
    assert sent_for_said(processor(), service, builds, words, 90) > 6


def test_a_story_whose_form_can_be_mended_is_paid_for_once(processor: Callable[..., Any], service):
    mended = '```json\n{"title": "Kim", "text": "The dog is called Kim.", "events": [{"when": "2026-02-30"}],}\n```'
    service.always = Reply(story_answer(mended))
    processor().compose(episode(40, 14, 90))
    assert len(service.requests) == 1
