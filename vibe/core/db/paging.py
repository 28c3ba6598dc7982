"""Pages of a list: where one ended, and the rows behind it, at the price of one look into an index however far back."""

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
        """Rows behind it, newest first. The index is entered at this time; only its neighbours are compared by id."""
        return Q(**{f"{column}__lte": self.at}) & (Q(**{f"{column}__lt": self.at}) | Q(id__lt=self.id))

    def newer(self, column: str) -> Q:
        """Rows behind it, oldest first."""
        return Q(**{f"{column}__gte": self.at}) & (Q(**{f"{column}__gt": self.at}) | Q(id__gt=self.id))


@dataclass(frozen=True, slots=True)
class Rank:
    """The count and id of the last row of a page of a list that is ordered by how many, as they were at one moment."""

    count: int
    id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows in order, and where the next page begins; None if this is the last."""

    rows: list[Row]
    next: Position | None


def next_position(found: Sequence[Any], size: int, column: str) -> Position | None:
    """Where a page of this size ended, of rows read up to one more; None if that one was not there."""
    return Position(getattr(found[size - 1], column), found[size - 1].pk) if len(found) > size else None
