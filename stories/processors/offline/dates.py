"""Times named in a sentence, resolved against the moment at which it was said.

Written for English. Where a phrase can mean two days ("on Friday", "in March", "3 July"), the tense of the sentence
decides: past forms look back, everything else looks ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stories.processors.offline.date_reckoning import Clock
from stories.processors.offline.date_rules import RULES
from stories.processors.offline.date_words import TRIGGER
from stories.processors.offline.spans import Span
from stories.processors.offline.verbs import looks_ahead


@dataclass(frozen=True, slots=True)
class Dating:
    """A time named in a text: where it stands there, and what it means. `absolute` if it names its year itself."""

    start: int
    end: int
    span: Span
    absolute: bool = False


def find_dates(text: str, said_at: datetime, *, ahead: bool | None = None) -> list[Dating]:
    """Every time that a sentence names, from left to right, none overlapping.

    `ahead` says whether the sentence speaks of what is to come; left out, its verbs decide.
    """
    if not TRIGGER.search(text):
        return []
    clock = Clock(said_at, looks_ahead(text) if ahead is None else ahead)
    datings: list[Dating] = []
    for pattern, resolve in RULES:
        for found in pattern.finditer(text):
            if any(found.start() < taken.end and taken.start < found.end() for taken in datings):
                continue
            before = [taken.span.first for taken in datings if taken.end <= found.start()]
            try:
                span = resolve(found, Clock(said_at, clock.ahead, before[-1] if before else None))
            except (ValueError, OverflowError):  # 30 February, year 12023: not a date
                continue
            if span:
                datings.append(Dating(*found.span(), span, absolute=bool(found.groupdict().get("year"))))
    return sorted(datings, key=lambda dating: dating.start)
