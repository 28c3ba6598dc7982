"""Times named in a sentence, resolved against the moment at which it was said.

Written for English. Where a phrase can mean two days ("on Friday", "in March", "3 July"), the tense of the sentence
decides: past forms look back, everything else looks ahead.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from stories.processors.offline.dates.reckoning import Clock
from stories.processors.offline.dates.rules import RULES
from stories.processors.offline.dates.spans import Span
from stories.processors.offline.dates.vocabulary import TRIGGER
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
    taken = bytearray(len(text))
    by_rule: list[list[Dating]] = []
    for pattern, resolve in RULES:
        datings: list[Dating] = []
        by_rule.append(datings)
        for found in pattern.finditer(text):
            start, end = found.span()
            if any(taken[start:end]):
                continue
            try:
                span = resolve(found, Clock(said_at, clock.ahead, named_before(start, by_rule)))
            except (ValueError, OverflowError):  # 30 February, year 12023: not a date
                continue
            if span:
                datings.append(Dating(start, end, span, absolute=bool(found.groupdict().get("year"))))
                taken[start:end] = b"\x01" * (end - start)
    return sorted((dating for datings in by_rule for dating in datings), key=lambda dating: dating.start)


def named_before(start: int, by_rule: Sequence[Sequence[Dating]]) -> date | None:
    """The first day of the time that was found last, of those that end before an offset."""
    for datings in reversed(by_rule):
        if count := bisect_right(datings, start, key=lambda dating: dating.end):
            return datings[count - 1].span.first
    return None
