"""The time of an event as models write it. What is no day of the calendar, or not clear, is no time.

`2026-05-12` is asked for. Taken as well: with an hour behind it, with slashes or dots, without its day or month, as an
ISO week, and in English words. `05/06/2026` is two days and so none.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import cast, get_args

from stories.processors.base import Precision

PRECISIONS: tuple[str, ...] = get_args(Precision)  # from the finest to the coarsest, and none
FINER_THAN_A_DAY = frozenset(("date", "datetime", "exact", "hour", "minute", "second", "time"))
NOTHING = frozenset(("", "null", "none"))
"""What models write for null."""
LONGEST = 60
"""Characters of a time that are read."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

Time = tuple[date, Precision]

_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        r"(?P<year>\d{4})",
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?:(?P=sep)(?:00|xx|\?\?))?",
        r"(?P<year>\d{4})(?P<sep>[-/.])(?:00|xx|\?\?)(?:(?P=sep)(?:00|xx|\?\?))?",
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?:[t ].*|z|[+-]\d\d:?\d\d)?",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:t.*)?",
        r"(?P<year>\d{4})-?w(?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
        rf"(?:[a-z]{{2,6}}day,? )?{_DAY} (?:of )?{_MONTH},? (?P<year>\d{{4}})",
        rf"(?:[a-z]{{2,6}}day,? )?{_MONTH} {_DAY},? (?P<year>\d{{4}})",
        rf"{_MONTH},? (?P<year>\d{{4}})",
    )
)


def time_of(when: object, precision: object) -> tuple[date | None, Precision]:
    """The first day of an event's time and how precise it is; None and "none" where it has no time.

    A time is as precise as it is said to be, and never more precise than it is written.
    """
    named = precision.strip().lower() if isinstance(precision, str) else "" if precision is None else "none"
    written = written_time(when)
    if written is None or named == "none":
        return None, "none"
    day, form = written
    if named not in NOTHING and named not in FINER_THAN_A_DAY:
        if named not in PRECISIONS:
            return None, "none"
        form = cast(Precision, max(form, named, key=PRECISIONS.index))
    return first_day(day, form), form


def written_time(when: object) -> Time | None:
    """The first day of what is written, and what it is: a day, a week, a month or a year."""
    if isinstance(when, int) and not isinstance(when, bool) and 0 < when < 10**8:
        when = str(when)
    if not isinstance(when, str) or len(when) > LONGEST:
        return None
    text = " ".join(when.lower().split())
    for form in _FORMS:
        if found := form.fullmatch(text):
            return calendar_time(found.groupdict())
    return None


def calendar_time(parts: dict[str, str | None]) -> Time | None:
    """The day that the parts of a date name; None where the calendar has none."""
    month, day, week, weekday = (parts.get(name) for name in ("month", "day", "week", "weekday"))
    year = int(parts["year"] or 0)
    try:
        if week:
            return date.fromisocalendar(year, int(week), int(weekday or 1)), "day" if weekday else "week"
        number = 1 if not month else int(month) if month.isdecimal() else MONTHS.index(month[:3]) + 1
        return date(year, number, int(day or 1)), "day" if day else "month" if month else "year"
    except ValueError:
        return None


def first_day(when: date, precision: str) -> date:
    """The first day of the time that a precision names, as stories.processors.base has it."""
    if precision == "week":
        return when - timedelta(days=when.weekday()) if when.toordinal() > when.weekday() else when
    if precision == "weekend" and when.weekday() == 6:  # its Sunday
        return when - timedelta(days=1)
    if precision in ("month", "season"):
        return when.replace(day=1)
    return when.replace(month=1, day=1) if precision == "year" else when
