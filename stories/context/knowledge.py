"""What is known of a person, as pieces of a context: their wishes, what holds now, what is coming up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Final

from stories.context.budget import Part, Piece
from stories.context.rendering import escaped
from stories.context.snippets import Sentences
from stories.facts.attributes import DATED, SINGLE
from stories.facts.services.reading import select_facts
from stories.facts.statements import PERSON
from stories.facts.timeline import Fact

KNOWN: Final[frozenset[Part]] = frozenset({"instructions", "facts", "upcoming"})
INSTRUCTION: Final = "instruction"


def known(facts: list[Fact], words: Collection[str], at: datetime) -> Iterable[Piece]:
    """Give what holds at a moment, in the person's zone: first what has words of the message, then what has one value.

    Of what is left the soonest comes first, or the newest. Wishes are the person's own alone.
    """

    def place(fact: Fact, piece: Piece) -> tuple[int, bool, date]:
        found = sum(map(len, piece.sentences.words)) if piece.sentences else 0
        return -found, fact.attribute not in SINGLE, fact.day or date.max

    now = [(fact, piece) for fact in select_facts(facts, at=at) if (piece := _piece(fact, words, at))]
    return [piece for _, piece in sorted(now, key=lambda each: place(*each))]


def _piece(fact: Fact, words: Collection[str], at: datetime) -> Piece | None:
    """Return a fact as a piece; None for what is over, and for the wishes of others than the person."""
    part: Part = "facts"
    if fact.attribute == INSTRUCTION:
        if fact.subject != PERSON:
            return None
        part, text = "instructions", fact.value
    elif fact.attribute in DATED and fact.day:
        if fact.day < at.date():
            return None
        part, text = "upcoming", f"{fact.day} {_named(fact)}"
    else:
        when = f"since {fact.valid_from:%Y-%m-%d}" if fact.valid_from else f"said {fact.learned_at:%Y-%m-%d}"
        text = f"{_named(fact)} ({when})"
    text = " ".join(escaped(text).split())
    return Piece(part, fact.id, text, occurred_at=fact.learned_at, sentences=Sentences.of(text, words))


def _named(fact: Fact) -> str:
    """Return whose fact it is, unless it is the person's, of what kind, and its value."""
    whose = "" if fact.subject == PERSON else f"{fact.subject}'s "
    return f"{whose}{fact.attribute.replace('_', ' ')}: {fact.value}"
