"""The words of English dates, as pieces of regular expressions with named groups, and the reckoning behind each phrase
that names a time: from a match and the moment of speech to a span.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from stories.processors.offline.dates import spans
from stories.processors.offline.dates.spans import Span

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "three": 3, "few": 3, "several": 4, "four": 4, "five": 5,
          "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15,
          "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}  # fmt: skip
VAGUE = ("few", "several")

# Short names, and the months that are words too (May, March, Sun, Sat), count only with their capital.
MONTH = (r"(?P<month>(?i:january|february|april|june|july|august|september|october|november|december)|March|May|"
         r"(?:(?i:jan|feb|apr|jun|jul|aug|sept?|oct|nov|dec)|Mar)\b\.?)(?![^\W_])")  # fmt: skip
WEEKDAY = r"(?P<weekday>(?i:mon|tues|wednes|thurs|fri|satur|sun)(?i:day)\b|(?:Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun)\b)"
COUNT = (r"(?P<count>\d{1,4}|(?i:an?(?: few| couple)?(?: of)?|couple(?: of)?|"
         + "|".join(word for word in COUNTS if len(word) > 2 and word != "couple") + r"))")  # fmt: skip
UNIT = r"(?P<unit>day|weekend|week|month|year)"
DAY = r"(?P<day>[0-3]?\d)"
YEAR = r"(?P<year>(?:19|20)\d\d)\b"
SEASON = r"(?P<season>spring|summer|fall|autumn|winter)\b"
ORDINAL = r"(?:st|nd|rd|th)"
# What may follow a phrase that would mean something else before a noun: "the 5th floor", "the week before the fair".
CLOSED = (r"(?=\s*(?:[.,;:!?)\u2014\u2013-]|$)|\s+(?:and|but|so|at|in|to|for|with|after|before|because|when|since|this|"
          r"as|by|i|we|he|she|they|it|my|our)\b)")  # fmt: skip

# One quick look tells that a sentence names no time at all, which holds for most.
TRIGGER = re.compile(
    r"\d|day|night|hour|minute|morning|evening|afternoon|weekend|\bweek|month|year|\bago\b|spring|summer|autumn|winter|\bfall\b|"
    r"christmas|easter|halloween|thanksgiving|tomorrow|" + "|".join(rf"\b{name}" for name in MONTHS + WEEKDAYS),
    re.IGNORECASE,
)

LONGEST_WAIT = 9  # years from one 29 February to the next, over a century


def number(words: str) -> int:
    """The number of "3", "three", "a couple of", "a few"."""
    if words.isdigit():
        return int(words)
    return max(COUNTS.get(word, 0) for word in words.lower().split())


def is_vague(words: str) -> bool:
    return any(word in VAGUE for word in words.lower().split())


def month_number(name: str) -> int:
    return MONTHS.index(name[:3].lower()) + 1


def weekday_number(name: str) -> int:
    return WEEKDAYS.index(name[:3].lower())


@dataclass(frozen=True, slots=True)
class Clock:
    """What a phrase is resolved against: the moment of speech, the direction of the sentence, the time named before."""

    said_at: datetime
    ahead: bool
    anchor: date | None = None

    @property
    def today(self) -> date:
        return self.said_at.date()

    def nearest(self, in_year: Callable[[int], date], weekday: str | None = None) -> date:
        """A day that comes round every year, as the sentence means it: the last one passed or the next one due.

        If it does not fall on the weekday that is named with it, but the one on the other side of today does, that.
        """
        days = [next(self._days(in_year, step), None) for step in ((1, -1) if self.ahead else (-1, 1))]
        agreeing = (day for day in days if day and weekday and day.weekday() == weekday_number(weekday))
        if found := next(agreeing, None) or days[0]:
            return found
        raise ValueError("There is no such day.")

    def _days(self, in_year: Callable[[int], date], step: int) -> Iterator[date]:
        for year in range(self.today.year, self.today.year + step * LONGEST_WAIT, step):
            try:
                found = in_year(year)
            except ValueError:  # 29 February of another year
                continue
            if (found - self.today).days * step >= 0:
                yield found


Resolver = Callable[[re.Match[str], Clock], Span | None]
SHIFTS: dict[str, Callable[[date, int], Span]] = {
    "day": spans.day, "week": spans.week, "weekend": spans.weekend, "month": spans.month, "year": spans.year,
}  # fmt: skip
# "A few weeks" is no better than a month.
COARSER: dict[str, Callable[[date, int], Span]] = {
    "day": lambda moment, n: spans.week(moment + timedelta(days=n)),
    "week": lambda moment, n: spans.month(moment + timedelta(days=7 * n)),
    "weekend": lambda moment, n: spans.month(moment + timedelta(days=7 * n)),
    "month": lambda moment, n: Span(spans.month(moment, n - 1).first, "season"),
    "year": spans.year,
}


def days_off(days: int) -> Resolver:
    return lambda _found, clock: spans.day(clock.today, days)


def units_off(steps: int) -> Resolver:
    return lambda found, clock: SHIFTS[found["unit"].lower()](clock.today, steps)


def counted(found: re.Match[str], clock: Clock, sign: int) -> Span:
    unit, count = found["unit"].lower(), sign * number(found["count"])
    return (COARSER if is_vague(found["count"]) else SHIFTS)[unit](clock.today, count)


def counted_back(found: re.Match[str], clock: Clock) -> Span:
    return counted(found, clock, -1)


def counted_on(found: re.Match[str], clock: Clock) -> Span:
    return counted(found, clock, 1)


def due_in(found: re.Match[str], clock: Clock) -> Span | None:
    """ "In two weeks" is a time only in a sentence that looks ahead; otherwise it is how long something took."""
    return counted(found, clock, 1) if clock.ahead else None


def to_the_day(found: re.Match[str], clock: Clock, sign: int = -1) -> Span:
    """ "A week ago today" is a day."""
    unit, count = found["unit"].lower(), sign * number(found["count"])
    if unit in ("day", "week"):
        return spans.day(clock.today, count * (7 if unit == "week" else 1))
    there = SHIFTS[unit](clock.today, count).first
    return spans.day(there.replace(day=clock.today.day, month=clock.today.month if unit == "year" else there.month))


def to_the_day_ahead(found: re.Match[str], clock: Clock) -> Span:
    return to_the_day(found, clock, 1)


def weeks_from(found: re.Match[str], clock: Clock) -> Span:
    """ "A week from Friday"."""
    return spans.day(
        spans.weekday_after(clock.today, weekday_number(found["weekday"])).first, 7 * number(found["count"])
    )


def weekdays_on(found: re.Match[str], clock: Clock) -> Span:
    """ "Two Saturdays from now"."""
    due = spans.weekday_after(clock.today, weekday_number(found["weekday"])).first
    return spans.day(due, 7 * (number(found["count"]) - 1))


def weekday_after_next(found: re.Match[str], clock: Clock) -> Span:
    return spans.day(spans.week(clock.today, 2).first, weekday_number(found["weekday"]))


def nights_ago(found: re.Match[str], clock: Clock) -> Span:
    return spans.day(clock.today, -number(found["count"]))


def fortnight(found: re.Match[str], clock: Clock) -> Span:
    return spans.week(clock.today, -2 if found["back"] else 2)


def half_a_year_back(_found: re.Match[str], clock: Clock) -> Span:
    return spans.month(clock.today, -6)


def whole_year(found: re.Match[str], _clock: Clock) -> Span:
    return Span(date(int(found["year"]), 1, 1), "year")


def iso_date(found: re.Match[str], _clock: Clock) -> Span:
    return spans.day(date(int(found["year"]), int(found["m"]), int(found["day"])))


def numeric_date(found: re.Match[str], _clock: Clock) -> Span:
    """Slashes put the month first unless it cannot be one; dots put the day first."""
    first, second = int(found["first"]), int(found["second"])
    day, month = (first, second) if found["sep"] == "." or first > 12 else (second, first)
    return spans.day(date(int(found["year"]), month, day))


def day_and_month(found: re.Match[str], clock: Clock) -> Span:
    month, day = month_number(found["month"]), int(found["day"])
    if found["year"]:
        return spans.day(date(int(found["year"]), month, day))
    return spans.day(clock.nearest(lambda year: date(year, month, day), found["weekday"]))


def day_of_month(found: re.Match[str], clock: Clock) -> Span:
    """The nearest month that has the day, on the weekday that may be named with it: no February has a 30th."""
    weekday = found.groupdict().get("weekday")
    for months in range(3 if weekday is None else 12):
        first = spans.month(clock.today, months if clock.ahead else -months).first
        try:
            there = first.replace(day=int(found["day"]))
        except ValueError:
            continue
        agrees = weekday is None or there.weekday() == weekday_number(weekday)
        if agrees and (there >= clock.today if clock.ahead else there <= clock.today):
            return spans.day(there)
    raise ValueError("There is no such day.")


def whole_month(found: re.Match[str], clock: Clock) -> Span:
    month, which = month_number(found["month"]), (found["which"] or "").lower()
    if found["year"]:
        return spans.month(date(int(found["year"]), month, 1))
    here = spans.month(clock.today).first
    if which == "last":
        return Span(date(here.year - (month >= here.month), month, 1), "month")
    if which == "next":
        return Span(date(here.year + (month <= here.month), month, 1), "month")
    if which == "this":
        return Span(date(here.year, month, 1), "month")
    return Span(date(here.year + ((month < here.month) if clock.ahead else -(month > here.month)), month, 1), "month")


def whole_season(found: re.Match[str], clock: Clock) -> Span:
    name, which = found["season"].lower(), (found["which"] or "").lower()
    if found["year"]:
        return spans.season(int(found["year"]), name)
    now = clock.today
    running = spans.season(now.year - (name == "winter" and now.month < 3), name)
    over = running.first.year * 12 + running.first.month + 3 <= now.year * 12 + now.month
    if which == "next" or (clock.ahead and over and which != "last"):
        return spans.season(running.first.year + ((which == "next" and running.first <= now) or over), name)
    if which == "this" or clock.ahead:
        return running
    return running if over or (which != "last" and running.first <= now) else spans.season(running.first.year - 1, name)


def some_weekday(found: re.Match[str], clock: Clock) -> Span:
    """ "Last" is the latest before today, "next" the one in next week, "this" the one due."""
    weekday, which = weekday_number(found["weekday"]), (found["which"] or "").lower()
    if which.endswith(("last", "past")):
        return spans.weekday_before(clock.today, weekday)
    if which == "next":
        return spans.day(spans.week(clock.today, 1).first, weekday)
    if which == "this" and not clock.ahead and weekday <= clock.today.weekday():
        return spans.weekday_after(spans.week(clock.today).first, weekday, or_same=True)
    if which in ("this", "coming", "this coming") or clock.ahead:
        return spans.weekday_after(clock.today, weekday, or_same=which != "coming")
    return spans.weekday_before(clock.today, weekday)


def weekday_of_week(found: re.Match[str], clock: Clock) -> Span:
    weeks = {"last": -1, "this": 0, "next": 1}[found["which"].lower()]
    return spans.day(spans.week(clock.today, weeks).first, weekday_number(found["weekday"]))


def weekdays_ago(found: re.Match[str], clock: Clock) -> Span:
    latest = spans.weekday_before(clock.today, weekday_number(found["weekday"])).first
    return spans.day(latest, -7 * (number(found["count"]) - 1))


def neighbour_unit(found: re.Match[str], clock: Clock) -> Span | None:
    """Last, this or next week, weekend, month, year. This weekend, told in the past on a weekday, is the one before.

    "Over the last year" is how long, not when.
    """
    unit, which = found["unit"].lower(), found["which"].lower()
    if found["within"] and unit != "weekend":
        return None
    steps = -1 if which in ("last", "past", "this past") else 1 if which in ("next", "coming", "this coming") else 0
    if unit == "weekend" and which.endswith("coming") and clock.today.weekday() < 5:
        return spans.weekend(clock.today)
    if unit == "weekend" and steps == 0 and not clock.ahead and clock.today.weekday() < 4:
        steps = -1
    return SHIFTS[unit](clock.today, steps)


def the_weekend(_found: re.Match[str], clock: Clock) -> Span:
    past = not clock.ahead and clock.today.weekday() < 5
    return spans.weekend(clock.today, -1 if past else 0)


def unit_before(found: re.Match[str], clock: Clock) -> Span:
    unit = found["unit"].lower()
    return SHIFTS["day" if unit == "night" else unit](clock.anchor or clock.today, -1)


def unit_after(found: re.Match[str], clock: Clock) -> Span | None:
    """ "The next day" means nothing unless a time was named before it."""
    unit = found["unit"].lower()
    return SHIFTS["day" if unit == "night" else unit](clock.anchor, 1) if clock.anchor else None


def hours_off(found: re.Match[str], clock: Clock, sign: int) -> Span:
    unit = "minutes" if found["unit"].lower().startswith("min") else "hours"
    return spans.day((clock.said_at + sign * timedelta(**{unit: number(found["count"])})).date())


def hours_ago(found: re.Match[str], clock: Clock) -> Span:
    return hours_off(found, clock, -1)


def hours_on(found: re.Match[str], clock: Clock) -> Span | None:
    return hours_off(found, clock, 1) if clock.ahead else None


def feast(found: re.Match[str], clock: Clock) -> Span:
    """Christian and American feasts with a day of their own; of the day before if it says "Eve"."""
    name, which = found["feast"].lower(), (found["which"] or "").lower()
    back = 1 if name.endswith("eve") else 0

    def in_year(year: int) -> date:
        if name.startswith(("easter", "thanksgiving")):
            return spans.easter(year) if name == "easter" else spans.nth_weekday(year, 11, 3, 4)
        fixed = {"c": date(year, 12, 25), "n": date(year, 1, 1), "h": date(year, 10, 31), "v": date(year, 2, 14)}[
            name[0]
        ]
        return fixed - timedelta(days=back)

    if found["year"]:
        return spans.day(in_year(int(found["year"])))
    return spans.day(Clock(clock.said_at, clock.ahead and which != "last").nearest(in_year))
