"""A name in the gazetteer is a place only where it is spoken of as one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stories.processors.base import Message, Transcript
from stories.processors.offline.names.candidates import mentions
from stories.processors.offline.names.people import People
from stories.processors.offline.names.places import Places
from stories.processors.offline.sentences import sentences_of


def places(line: str, author: str = "Ottilie") -> tuple[str, ...]:
    messages = (Message("1", author, line, datetime(2024, 5, 15, tzinfo=UTC)),)
    sentences = sentences_of(messages)
    found = [mention for sentence in sentences for mention in mentions(sentence)]
    return Places(sentences, People(Transcript("", messages), sentences, found), found).all


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("I flew to Lisbon.", ("Lisbon",)),
        ("We drove from Porto to Rio de Janeiro.", ("Porto", "Rio de Janeiro")),
        ("She lives in New York.", ("New York",)),
        ("I love the US and the UK.", ("United States", "United Kingdom")),
        ("Norway is cold.", ("Norway",)),
        ("We moved to Reading last year.", ("Reading",)),
        ("My aunt lives in Nice.", ("Nice",)),
        ("We stayed in Springfield, Oregon.", ("Springfield", "Oregon")),
        ("I was born in Charlotte, NC.", ("Charlotte",)),
        ("We walked in Hyde Park and swam in Lake Como.", ("Hyde Park", "Lake Como")),
        ("We hiked in the Dolomites.", ("Dolomites",)),
        ("i went to berlin with anna", ("Berlin",)),
        ("She moved to Sao Paulo.", ("São Paulo",)),
        ("We visited Bosnia and Herzegovina.", ("Bosnia and Herzegovina",)),
        ("I moved to Ghent and I love it there.", ("Ghent",)),
        ("We drove from Turin to Rome, and Turin has better coffee.", ("Turin", "Rome")),
        ("I moved to Rome.", ("Rome",)),
        ("We stayed in Reine, in Lofoten.", ("Reine", "Lofoten")),
        ("She was born in Sibiel and lives near Vik.", ("Sibiel", "Vik")),
        ("Coffee in the Jardim da Estrela, then up the Cerro del Fortín.", ("Jardim da Estrela", "Cerro del Fortín")),
        ("We walked along Storgata and swam at Clara-Zetkin-Park.", ("Storgata", "Clara-Zetkin-Park")),
    ],
)
def test_places_are_known_by_name_and_use(line: str, expected: tuple[str, ...]) -> None:
    assert places(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Nice to meet you! Reading is fun. Best wishes.",
        "Of course. Same here. Split the bill. Mobile phones are Orange.",
        "I called Charlotte and Jackson.",
        "Victoria and Paris came over.",
        "We saw the Boston Celtics.",
        "a leg of turkey in the china shop",
        "The Park was shut.",
        "I moved to Netflix from Spotify. We played Catan in German.",
        "I believe in Zarquon, and went back to Zarquon's book.",
        "March in May.",
        "",
    ],
)
def test_people_words_and_clubs_are_no_places(line: str) -> None:
    assert places(line) == ()


def test_who_speaks_is_no_place() -> None:
    assert places("It is me, Florence. In Florence they trust.", author="Florence") == ()
