"""Reading the trail page by page, each at the price of one look into an index however far back it lies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from django.db.models import Q, QuerySet

from audit.models import AuditLog
from vibe.core.errors import InputError

LARGEST_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the time and id of its last row."""

    at: datetime
    id: UUID

    @classmethod
    def of(cls, row: AuditLog) -> Self:
        """Behind this row."""
        return cls(row.at, row.id)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the newest first, and where the next page begins; None if this is the last."""

    rows: list[AuditLog]
    next: Position | None


def page(rows: QuerySet[AuditLog], *, after: Position | None = None, size: int = 50) -> Page:
    """The rows of a question to the trail that follow `after`. The caller's scope says what may be read."""
    if not 1 <= size <= LARGEST_PAGE:
        raise InputError(f"A page has 1 to {LARGEST_PAGE} rows.")
    if after:
        # Written so that the index is entered at this time and only its neighbours are compared by id.
        rows = rows.filter(Q(at__lte=after.at) & (Q(at__lt=after.at) | Q(id__lt=after.id)))
    found = list(rows.order_by("-at", "-id")[: size + 1])
    return Page(found[:size], Position.of(found[size - 1]) if len(found) > size else None)
