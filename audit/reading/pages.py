"""Paging through the audit log."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet

from audit.models import AuditLog
from vibe.core.db.paging import Page, Position, next_position
from vibe.core.errors import InputError

LARGEST_PAGE: Final = 200


def page(rows: QuerySet[AuditLog], *, after: Position | None = None, size: int = 50) -> Page[AuditLog]:
    """Return the page of `rows` that follows `after`. The caller's scope decides which rows are visible."""
    if not 1 <= size <= LARGEST_PAGE:
        raise InputError(f"A page has 1 to {LARGEST_PAGE} rows.")
    if after:
        rows = rows.filter(after.older("at"))
    found = list(rows.order_by("-at", "-id")[: size + 1])
    return Page(found[:size], next_position(found, size, "at"))
