"""A stretch of the calendar with a name: a day, a week, a month, and the arithmetic between them.

Weeks are ISO weeks, from Monday. Seasons are the meteorological ones of the northern hemisphere; a winter belongs to
the year in which it begins. Outside the years 1 to 9999 the constructors raise ValueError or OverflowError.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from stories.processors.base import Precision

MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
               "November", "December")  # fmt: skip
SEASON_MONTHS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}


@dataclass(frozen=True, slots=True)
class Span:
    first: date
    precision: Precision

    @property
    def last(self) -> date:
        """The last day of the stretch, at most; months count 31 days."""
        days = {"day": 1, "weekend": 2, "week": 7, "month": 31, "season": 92, "year": 366}.get(self.precision, 1)
        return self.first + timedelta(days=min(days - 1, (date.max - self.first).days))

    def __str__(self) -> str:
        month = f"{MONTH_NAMES[self.first.month - 1]} {self.first.year}"
        match self.precision:
            case "year":
                return str(self.first.year)
            case "month":
                return month
            case "season":
                return f"from {month}"
            case "week" | "weekend":
                return f"{self.precision} of {self.first.day} {month}"
            case _:
                return f"{self.first.day} {month}"


def day(moment: date, days: int = 0) -> Span:
    return Span(moment + timedelta(days=days), "day")


def week(moment: date, weeks: int = 0) -> Span:
    return Span(moment + timedelta(days=7 * weeks - moment.weekday()), "week")


def weekend(moment: date, weeks: int = 0) -> Span:
    """The Saturday of the moment's ISO week, some weeks on."""
    return Span(week(moment, weeks).first + timedelta(days=5), "weekend")


def month(moment: date, months: int = 0) -> Span:
    years, index = divmod(moment.month - 1 + months, 12)
    return Span(date(moment.year + years, index + 1, 1), "month")


def year(moment: date, years: int = 0) -> Span:
    return Span(date(moment.year + years, 1, 1), "year")


def season(start_year: int, name: str) -> Span:
    return Span(date(start_year, SEASON_MONTHS[name], 1), "season")


def weekday_before(moment: date, weekday: int) -> Span:
    """The latest such weekday strictly before the moment."""
    return day(moment, -((moment.weekday() - weekday - 1) % 7 + 1))


def weekday_after(moment: date, weekday: int, *, or_same: bool = False) -> Span:
    """The first such weekday after the moment, or the moment itself if that is allowed."""
    ahead = (weekday - moment.weekday()) % 7
    return day(moment, ahead if ahead or or_same else 7)


def nth_weekday(in_year: int, in_month: int, weekday: int, nth: int) -> date:
    first = date(in_year, in_month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def easter(in_year: int) -> date:
    """Gregorian Easter Sunday (the anonymous algorithm: Nature, 20 April 1876; Meeus, Astronomical Algorithms)."""
    a, (b, c) = in_year % 19, divmod(in_year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    remainder = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * remainder) // 451
    in_month, before = divmod(h + remainder - 7 * m + 114, 31)
    return date(in_year, in_month, before + 1)
