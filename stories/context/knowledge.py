"""What is known of a person, as pieces of a context: their wishes, what holds now, what is coming up."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Final

from stories.context.budget import TOO_SHORT, Part, Piece
from stories.context.rendering import escaped
from stories.facts.attributes import DATED, SINGLE
from stories.facts.services.reading import select_facts
from stories.facts.statements import PERSON
from stories.facts.timeline import Fact
from stories.text.languages import ENGLISH
from stories.text.words import words as words_of

KNOWN: Final[frozenset[Part]] = frozenset({"instructions", "facts", "upcoming"})
INSTRUCTION: Final = "instruction"


def known(facts: list[Fact], words: Collection[str], at: datetime, wanted: Collection[Part], most: int) -> list[Piece]:
    """Return what holds at a moment, in the person's zone: what has words of the message, then what has one value.

    Of what is left the soonest comes first, or the newest. Wishes are the person's own alone. Pieces are made of no
    more of a part than a context of a length, `most`, has room for.
    """
    asked = frozenset(words)

    def place(fact: Fact) -> tuple[int, bool, date]:
        found = len(asked.intersection(words_of(_named(fact), ENGLISH))) if asked else 0
        return -found, fact.attribute not in SINGLE, fact.day or date.max

    left = dict.fromkeys(wanted, most // TOO_SHORT + 1)
    pieces = []
    for fact in sorted(select_facts(facts, at=at), key=place):
        part = _part(fact, at)
        if part and left.get(part):
            left[part] -= 1
            pieces.append(_piece(part, fact))
    return pieces


def _part(fact: Fact, at: datetime) -> Part | None:
    """Return where a fact is shown; None for what is over, and for the wishes of others than the person."""
    if fact.attribute == INSTRUCTION:
        return "instructions" if fact.subject == PERSON else None
    if fact.attribute in DATED and fact.day:
        return "upcoming" if fact.day >= at.date() else None
    return "facts"


def _piece(part: Part, fact: Fact) -> Piece:
    if part == "instructions":
        text = fact.value
    elif part == "upcoming":
        text = f"{fact.day} {_named(fact)}"
    else:
        since, told = fact.valid_from, fact.learned_at
        text = f"{_named(fact)} ({f'since {since.date()}' if since else f'said {told.date()}'})"
    text = " ".join(escaped(text).split())
    return Piece(part, fact.id, text, occurred_at=fact.learned_at)


def _named(fact: Fact) -> str:
    """Return whose fact it is, unless it is the person's, of what kind, and its value."""
    whose = "" if fact.subject == PERSON else f"{fact.subject}'s "
    return f"{whose}{fact.attribute.replace('_', ' ')}: {fact.value}"
