"""A date hierarchy for lists that does not query the table for its dates.

Django's own hierarchy reads every row for that. Here years, months and days come from the calendar, between the oldest
row and today, and a list ordered by UUIDv7 is filtered by the primary key.
"""

from __future__ import annotations

from calendar import month_name
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from vibe.core.db.schema.owned import first_uuid7_at

# An id is made while its row's transaction runs; the row's time is when that began.
SLACK = timedelta(hours=1)
LONGEST_TRANSACTION = timedelta(days=1)


@dataclass(frozen=True)
class Choice:
    """The title of a date and its link."""

    title: str
    link: str


@dataclass(frozen=True)
class Drill:
    """The dates that a list is narrowed to: a year, a month, a day, or all."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    @classmethod
    def of(cls, field: str, params: Mapping[str, str]) -> Drill:
        """Read the parameters of the list. What is not a number is ignored."""
        parts = (params.get(f"{field}__{part}", "") for part in ("year", "month", "day"))
        return cls(*(int(part) if part.isdecimal() else None for part in parts))

    def ids(self) -> tuple[UUID, UUID] | None:
        """Return a range of ids that holds all rows of these dates, and a few more; None for all dates."""
        if not self.year:
            return None
        begin = datetime(self.year, self.month or 1, self.day or 1, tzinfo=UTC)
        length = timedelta(days=1 if self.day else 31 if self.month else 366)
        return first_uuid7_at(begin - SLACK), first_uuid7_at(begin + length + LONGEST_TRANSACTION)

    def steps(self, oldest: date, today: date) -> Iterator[Drill]:
        """Yield the next choices: years, months of the year, days of the month."""
        if self.day:
            return
        if self.year and self.month:
            span = ((date(self.year, self.month, 1) + timedelta(days=n)) for n in range(31))
            yield from (
                Drill(day.year, day.month, day.day)
                for day in span
                if day.month == self.month and oldest <= day <= today
            )
        elif self.year:
            yield from (
                Drill(self.year, month)
                for month in range(1, 13)
                if (oldest.year, oldest.month) <= (self.year, month) <= (today.year, today.month)
            )
        else:
            yield from (Drill(year) for year in range(oldest.year, today.year + 1))

    def up(self) -> Drill:
        """Return the next wider dates."""
        return Drill(self.year, self.month) if self.day else Drill(self.year) if self.month else Drill()

    def __str__(self) -> str:
        if self.day and self.month:
            return f"{self.day} {month_name[self.month]}"
        return f"{month_name[self.month]} {self.year}" if self.month else str(self.year or "All dates")

    def params(self, field: str) -> dict[str, int | None]:
        """Return the parameters of the list; None removes one."""
        return {f"{field}__year": self.year, f"{field}__month": self.month, f"{field}__day": self.day}

    def choice(self, field: str, link: Callable[[dict[str, int | None]], str]) -> Choice:
        """Return the title and link of these dates."""
        return Choice(str(self), link(self.params(field)))
