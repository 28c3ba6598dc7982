"""Versions of a row, for optimistic locking: a caller names those it has seen, and changes none but these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from vibe.core.errors import Outdated

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Versions = frozenset[str]


class Versioned(Protocol):
    """A row with a count of its changes and the time of the last one."""

    @property
    def revision(self) -> int: ...

    @property
    def updated_at(self) -> datetime: ...


def version_of(row: Versioned) -> str:
    """Return the version: the count of changes, and when the row last changed, counts and archiving included."""
    return f"{row.revision:x}-{(row.updated_at - EPOCH) // timedelta(microseconds=1):x}"


def require_version(row: Versioned, expected: Versions | None) -> None:
    """Raise Outdated when a locked row is at none of the expected versions; None accepts any."""
    if expected is not None and version_of(row) not in expected:
        raise Outdated
