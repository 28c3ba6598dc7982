"""Times named in a sentence, resolved against the moment at which it was said.

Written for English. Where a phrase can mean two days ("on Friday", "in March", "3 July"), the tense of the sentence
decides: past forms look back, everything else looks ahead.

RULES has the phrases, each with its reckoning. It is read from the top; a stretch of text that one rule took is closed
to the rules below it. A rule that finds its phrase to mean no particular time gives None.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from stories.processors.offline.dates.reckoning import (
    CLOSED,
    COUNT,
    DAY,
    MONTH,
    ORDINAL,
    SEASON,
    TRIGGER,
    UNIT,
    WEEKDAY,
    YEAR,
    Clock,
    Resolver,
    counted_back,
    counted_on,
    day_and_month,
    day_of_month,
    days_off,
    due_in,
    feast,
    fortnight,
    half_a_year_back,
    hours_ago,
    hours_on,
    iso_date,
    neighbour_unit,
    nights_ago,
    numeric_date,
    some_weekday,
    the_weekend,
    to_the_day,
    to_the_day_ahead,
    unit_after,
    unit_before,
    units_off,
    weekday_after_next,
    weekday_of_week,
    weekdays_ago,
    weekdays_on,
    weeks_from,
    whole_month,
    whole_season,
    whole_year,
)
from stories.processors.offline.dates.spans import Span
from stories.processors.offline.verbs import looks_ahead


def rule(pattern: str, resolve: Resolver, flags: re.RegexFlag = re.IGNORECASE) -> tuple[re.Pattern[str], Resolver]:
    return re.compile(pattern, flags), resolve


EXACT = re.RegexFlag(0)
DAYS = r"(?P<weekday>(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
ON_A = (
    r"\b(?:(?P<weekday>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\.?,?"
    r"\s+(?:the\s+)?)?"
)
"""The weekday before a date says no more than which year's it is: "Saturday 14 March" is one time."""
RULES: tuple[tuple[re.Pattern[str], Resolver], ...] = (
    rule(rf"\b{YEAR}-(?P<m>[01]\d)-{DAY}\b", iso_date),
    rule(r"\b(?P<first>\d{1,2})(?P<sep>[/.])(?P<second>\d{1,2})(?P=sep)(?P<year>(?:19|20)\d\d)\b", numeric_date),
    rule(rf"{ON_A}{DAY}{ORDINAL}?(?:\s+of)?\s+{MONTH}(?:,?\s+{YEAR})?(?P<none>)", day_and_month, EXACT),
    rule(rf"{ON_A}{MONTH}\s+(?:the\s+)?{DAY}(?:{ORDINAL})?\b(?![:.]\d|\s*(?:am|pm|%))"
         rf"(?:,?\s+{YEAR})?", day_and_month, EXACT),
    rule(r"\bday before yesterday\b", days_off(-2)),
    rule(r"\bday after tomorrow\b", days_off(2)),
    rule(r"\bnight before last\b", days_off(-2)),
    rule(r"\bthe (?P<unit>week|weekend|month|year) before last\b",
         units_off(-2)),
    rule(r"\bthe (?P<unit>week|weekend|month|year) after next\b",
         units_off(2)),
    rule(rf"\b{COUNT}\s+{UNIT}s? ago (?:today|tonight|this (?:morning|evening))\b", to_the_day),
    rule(rf"\b{COUNT}\s+{UNIT}s? from today\b", to_the_day_ahead),
    rule(r"\b(?:yesterday|last night)\b", days_off(-1)),
    rule(r"\btomorrow\b", days_off(1)),
    rule(r"\b(?:today|tonight|this (?:morning|afternoon|evening)|earlier today)\b(?!'s (?:world|society|age))",
         days_off(0)),
    rule(rf"\b{WEEKDAY}\s+(?:of\s+)?(?i:(?P<which>last|this|next)\s+week)\b", weekday_of_week, EXACT),
    rule(rf"\b(?i:(?P<which>last|this|next)\s+week\s+(?:on\s+)?){WEEKDAY}", weekday_of_week, EXACT),
    rule(rf"\b{COUNT}\s+{DAYS}s ago\b", weekdays_ago),
    rule(rf"\b{COUNT}\s+{DAYS}s from now\b", weekdays_on),
    rule(rf"\b{COUNT}\s+weeks? (?:from|after)\s+{DAYS}\b", weeks_from),
    rule(rf"\b{DAYS} after next\b", weekday_after_next),
    rule(rf"\b{DAYS},? the {DAY}{ORDINAL}\b", day_of_month),
    rule(rf"\b{COUNT}\s+(?:night|morning|evening|afternoon)s? ago\b", nights_ago),
    rule(r"\b(?:a fortnight(?P<back> ago)|in a fortnight)\b", fortnight),
    rule(rf"\b{COUNT}(?:\s+and a half)?\s+{UNIT}s?\s+(?:ago|back)\b", counted_back),
    rule(r"\bhalf a year ago\b", half_a_year_back),
    rule(rf"\b{COUNT}\s+(?P<unit>hour|hr|minute|min)s? ago\b", hours_ago),
    rule(rf"\b{COUNT}\s+(?P<unit>hour|hr|minute|min)s? from now\b", hours_on),
    rule(rf"\bin\s+(?:about |around |just )?{COUNT}\s+(?P<unit>hour|hr|minute|min)s?(?:'s? time)?\b", hours_on),
    rule(rf"\b{COUNT}\s+{UNIT}s? from (?:now|today)\b", counted_on),
    rule(rf"\bin\s+(?:about |around |just )?{COUNT}\s+{UNIT}s?(?:'s? time)?\b",
         due_in),
    rule(rf"(?<!\b[Aa] )(?<!\b[Ee]very )(?<!\b[Ee]ach )(?<!\b[Tt]he )\b(?i:(?P<which>last|next|this past|this coming|"
         rf"this|past|coming)\s+)?{WEEKDAY}(?!\s+(?:school|best|(?:morning|evening|night|afternoon)s)\b)",
         some_weekday, EXACT),
    rule(r"\b(?P<within>(?:for|over|in|during|of|within|throughout|across) the )?(?P<which>last|next|this past|"
         r"this coming|this|coming|past)\s+(?P<unit>weekend|week|month|year)\b", neighbour_unit),
    rule(r"\b(?:over|at|on|during|for) the weekend\b", the_weekend),
    rule(rf"\bthe (?P<unit>day|night|week|weekend|month|year) before{CLOSED}", unit_before),
    rule(r"\bthe (?:following|next) (?P<unit>day|night|week|weekend|month|year)\b", unit_after),
    rule(rf"\bthe (?P<unit>day|week|month|year) after{CLOSED}", unit_after),
    rule(rf"\b(?:on|by|until|till|since|for) the {DAY}{ORDINAL}{CLOSED}", day_of_month),
    rule(rf"\b(?i:(?:in )?(?:early|mid|late)|in|since|until|till|by|during|for|of|from|"
         rf"around)[\s-]+(?P<which>)?{MONTH}(?:\s+of)?(?:,?\s+{YEAR})?", whole_month, EXACT),
    rule(rf"\b(?i:(?P<which>last|next|this)\s+){MONTH}(?!\s+(?:be|have|not)\b)(?P<year>)?", whole_month, EXACT),
    rule(rf"\b(?P<which>)?{MONTH}(?:\s+of|,)?\s+{YEAR}", whole_month, EXACT),
    rule(rf"\b(?:(?P<which>last|next|this)\s+)(?:early |late )?{SEASON}(?P<year>)?(?!\s+(?:apart|down|off|"
         r"in love|for\b))", whole_season),
    rule(rf"\b(?:(?:in|during|since|over) the\s+)?(?P<which>)?{SEASON}(?:\s+of)?\s+{YEAR}", whole_season),
    rule(rf"\b(?:in|during|this coming) (?:the |early |late )?(?P<which>)?{SEASON}(?P<year>)?{CLOSED}", whole_season),
    rule(rf"\b(?:(?P<which>last|this|next)\s+)?(?P<feast>christmas(?: eve)?|new year'?s(?: eve)|new year'?s(?: day)|"
         rf"halloween|valentine'?s day|thanksgiving|easter)\b(?:\s+{YEAR})?", feast),
    rule(r"\b(?:in|since|during|of|by|until|from(?= \d+ (?:to|until)\b)|around|late|early|mid)[\s-]+"
         rf"{YEAR}(?!\s*(?:%|people|dollars|steps))",
         whole_year),
)  # fmt: skip


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
