"""An event is who did what and when; wishes, denials and questions are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stories.processors.base import Message, Transcript
from stories.processors.offline.events import MOST_EVENTS, events_of
from stories.processors.offline.names.candidates import mentions
from stories.processors.offline.names.people import People
from stories.processors.offline.sentences import sentences_of
from stories.processors.offline.words import Stems

WEDNESDAY = datetime(2024, 5, 15, 12, tzinfo=UTC)


def events(*lines: str, author: str = "Ottilie") -> list[tuple[str, str, str, str]]:
    messages = tuple(Message(str(n), author, line, WEDNESDAY) for n, line in enumerate(lines))
    sentences = sentences_of(messages)
    found = [mention for sentence in sentences for mention in mentions(sentence)]
    told = events_of(sentences, People(Transcript("", messages), sentences, found), Stems())
    return [(event.who, event.what, str(event.when), event.precision) for _, event in told]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("I joined a choir yesterday.", ("Ottilie", "joined a choir", "2024-05-14", "day")),
        ("Last week, I sold my boat.", ("Ottilie", "sold their boat", "2024-05-06", "week")),
        ("I adopted a kitten.", ("Ottilie", "adopted a kitten", "None", "none")),
        ("Just got back from Oslo last night!", ("Ottilie", "got back from Oslo", "2024-05-14", "day")),
        ("My sister Anna opened a bakery in March.", ("Anna", "opened a bakery", "2024-03-01", "month")),
        ("My husband broke his arm on Monday.", ("Ottilie's husband", "broke his arm", "2024-05-13", "day")),
        ("We're going to sail to Corfu next month.", ("Ottilie", "will sail to Corfu", "2024-06-01", "month")),
        ("I'm meeting the bank next Friday.", ("Ottilie", "is meeting the bank", "2024-05-24", "day")),
        ("I have an interview on Monday.", ("Ottilie", "has an interview", "2024-05-20", "day")),
        ("I'm planning to write a novel.", ("Ottilie", "is planning to write a novel", "None", "none")),
        ("The regatta is this weekend.", ("Ottilie", "regatta", "2024-05-18", "weekend")),
        ("My laptop crashed last Friday.", ("Ottilie", "laptop crashed", "2024-05-10", "day")),
        ("Something odd happened on Monday - I found a ring.", ("Ottilie", "found a ring", "2024-05-13", "day")),
        ("Friday was wild - I found a ring.", ("Ottilie", "found a ring", "2024-05-10", "day")),
        ("I was bored today, so I painted the shed.", ("Ottilie", "painted the shed", "2024-05-15", "day")),
        ("I watched \"The Tall Ship\" last night.", ("Ottilie", "watched \"The Tall Ship\"", "2024-05-14", "day")),
        ("I took Max to Dr. Fonseca yesterday.", ("Ottilie", "took Max to Dr. Fonseca", "2024-05-14", "day")),
        ("I'm meeting the bank on Friday, today was their day off.",
         ("Ottilie", "is meeting the bank", "2024-05-17", "day")),
        ("I sold forty pies, and by 9:15 on Monday they were gone.",
         ("Ottilie", "sold forty pies, and by 9:15 they were gone", "2024-05-13", "day")),
        ("Last year, in May, I sold the boat.", ("Ottilie", "sold the boat", "2023-05-01", "month")),
        ("We were on the roof last night.", ("Ottilie", "was on the roof", "2024-05-14", "day")),
        ("I've been to Rome this month.", ("Ottilie", "has been to Rome", "2024-05-01", "month")),
        ("I moved back yesterday.", ("Ottilie", "moved back", "2024-05-14", "day")),
        ("I painted tiles for thirty years, and.", ("Ottilie", "painted tiles for thirty years", "None", "none")),
        ("I graduated last week!", ("Ottilie", "graduated", "2024-05-06", "week")),
        ("I decided to quit.", ("Ottilie", "decided to quit", "None", "none")),
        ("I've finished the quilt!", ("Ottilie", "finished the quilt", "None", "none")),
        ("Grandma taught me. My grandma passed away in 2019.",
         ("Ottilie's grandmother", "passed away", "2019-01-01", "year")),
    ],
)  # fmt: skip
def test_a_deed_or_a_plan_is_an_event(line: str, expected: tuple[str, str, str, str]) -> None:
    assert expected in events(line)
    assert len(events(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Did you join the choir yesterday?",
        "I didn't join the choir yesterday.",
        "If I sold the boat last week, I would know.",
        "I wish I went to Oslo last year.",
        "I felt tired yesterday.",
        "The boat I bought last year is slow.",
        "It feels like just yesterday I bought the boat.",
        "It would be fine if I sold the boat.",
        "You won!",
        "I love my boat.",
        "It was slow. Took about ten seconds.",
        "I will be thinking of the boat tomorrow.",
        "I will call you.",
        "Tired and bored today.",
        "",
    ],
)
def test_questions_wishes_states_and_denials_are_none(line: str) -> None:
    assert events(line) == []


def test_what_is_announced_in_one_sentence_dates_the_next() -> None:
    assert events("I did something new last week. I sold the boat.") == [
        ("Ottilie", "sold the boat", "2024-05-06", "week")
    ]


def test_two_deeds_in_a_sentence_keep_their_own_times() -> None:
    assert events("I sold the boat last year, but I bought a canoe yesterday.") == [
        ("Ottilie", "sold the boat", "2023-01-01", "year"),
        ("Ottilie", "bought a canoe", "2024-05-14", "day"),
    ]


def test_the_same_event_told_twice_is_one() -> None:
    assert len(events("I adopted a kitten.", "Yes, I adopted a kitten!")) == 1


def test_the_user_of_a_companion_does_things_and_the_companion_does_not() -> None:
    assert events("I bought a canoe.", author="user") == [("The user", "bought a canoe", "None", "none")]
    assert events("I bought a canoe.", author="assistant") == []


def test_dated_events_outlast_undated_ones_when_there_are_too_many() -> None:
    lines = [f"I bought canoe{n} and oar{n}." for n in range(MOST_EVENTS + 10)]
    told = events(*lines, "I sold the canoes yesterday.")
    assert len(told) == MOST_EVENTS
    assert told[-1] == ("Ottilie", "sold the canoes", "2024-05-14", "day")
