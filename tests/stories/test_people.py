"""A name is a person if what stands around it says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stories.processors.base import Message, Transcript
from stories.processors.offline.names.candidates import mentions
from stories.processors.offline.names.people import People
from stories.processors.offline.sentences import sentences_of

NOON = datetime(2024, 5, 15, 12, tzinfo=UTC)


def people(*lines: str, authors: tuple[str, str] = ("Ottilie", "Bertram")) -> People:
    messages = tuple(Message(str(n), authors[n % 2], line, NOON) for n, line in enumerate(lines))
    transcript, sentences = Transcript("", messages), sentences_of(messages)
    return People(transcript, sentences, [mention for sentence in sentences for mention in mentions(sentence)])


def named(*lines: str) -> tuple[str, ...]:
    return people(*lines).named


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("My sister Anna baked bread.", ("Anna",)),
        ("I met Henrike's boss, and Zbigniew said hello.", ("Zbigniew",)),
        ("Lunch with Laura and Peter Falk was long.", ("Laura", "Peter Falk")),
        ("Dr. Okonkwo and Dr Weiss operated.", ("Dr Weiss",)),
        ("My neighbour Thiago fixed the roof.", ("Thiago",)),
        ("A teacher named Philippa taught me chess.", ("Philippa",)),
        ("Wolfgang, my uncle, grows plums.", ("Wolfgang",)),
        ("The new boss came. I told Ann Lee. Ann laughed.", ("Ann Lee",)),
        ("Frau Lindqvist lives upstairs, and Abuela Paz downstairs.", ("Frau Lindqvist", "Abuela Paz")),
        ("I took the dog to Dra. Pinheiro.", ("Pinheiro",)),
        ("Jukka called. Who is Jukka? Jukka is Finnish.", ("Jukka",)),
        ("I had lunch with priya.", ("Priya",)),
        ("April told me the news, and she cried.", ("April",)),
        ("I met Paris at work, she is our designer.", ("Paris",)),
        ("I went with Halvard and Sigrun.", ("Halvard", "Sigrun")),
    ],
)
def test_a_name_with_a_reason_is_a_person(line: str, expected: tuple[str, ...]) -> None:
    assert set(expected) <= set(named(line))


@pytest.mark.parametrize(
    "line",
    [
        "We watch Netflix on Friday.",
        "I flew to Lisbon in March.",
        "My dog Max ate the sofa.",
        "My cats Tom and Lola sleep all day.",
        'I read "Emma and David" again.',
        "Thanks, that is great. Sadly, my sister is ill.",
        "The Museum was shut, and Siemens is hiring.",
        "She studies at Boston University.",
        "Merry Christmas from the Team!",
        "Will you come? May is fine. Hope it works.",
        "English is hard. I like Python.",
        "I moved to Ghent and I love it there.",
        "We drove from Turin to Rome, and Turin has better coffee.",
        "Leipzig is cold, and Hamburg wants too much rent.",
        "Hello from Barcelona! I miss Vienna and Graz.",
        "My boat, Matilda, leaks. The storm Xynthia sank her.",
        "It rained in April. June was dry.",
        "",
    ],
)
def test_other_capitals_are_nobody(line: str) -> None:
    assert named(line) == ()


def test_those_who_spoke_come_first_and_once() -> None:
    assert people("Hey Bertram, this is Ottilie.", "Hello Otti! My friend Anna says hi.").all == (
        "Ottilie", "Bertram", "Anna",
    )  # fmt: skip


def test_kin_without_a_name_belongs_to_who_spoke_of_it() -> None:
    assert people("My mum is here.", "My brother called.").kin == ("Ottilie's mother", "Bertram's brother")


def test_kin_with_a_name_is_not_counted_twice() -> None:
    assert people("My sister Anna called.", "Nice!", "My sister is a nurse.").all == ("Ottilie", "Bertram", "Anna")


def test_roles_are_nobody() -> None:
    assert people("Hi!", "Hello!", authors=("user", "assistant")).all == ()
    assert people("My mum is here.", "Oh!", authors=("user", "assistant")).all == ("The user's mother",)
