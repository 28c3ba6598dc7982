"""Keyset paging: the position where a page ended and the rows after it, by one index lookup however far back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Q

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Position:
    """The time and id of the last row of a page."""

    at: datetime
    id: UUID

    def older(self, column: str) -> Q:
        """Match rows after it, newest first. The index scan starts at this time; rows of this time compare by id."""
        return Q(**{f"{column}__lte": self.at}) & (Q(**{f"{column}__lt": self.at}) | Q(id__lt=self.id))

    def newer(self, column: str) -> Q:
        """Match rows after it, oldest first."""
        return Q(**{f"{column}__gte": self.at}) & (Q(**{f"{column}__gt": self.at}) | Q(id__gt=self.id))


@dataclass(frozen=True, slots=True)
class Rank:
    """The count and id of the last row of a page of a list that is ordered by count, as they were at one moment."""

    count: int
    id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order, and the position where the next page begins; None if this is the last."""

    rows: list[Row]
    next: Position | None


def next_position(found: Sequence[Any], size: int, column: str) -> Position | None:
    """Return where a page of `size` ended, of up to size + 1 rows read; None if no more than `size` were found."""
    return Position(getattr(found[size - 1], column), found[size - 1].pk) if len(found) > size else None
