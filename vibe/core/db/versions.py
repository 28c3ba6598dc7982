"""Versions of a row, for optimistic locking: a caller names those it has seen, and changes no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from vibe.core.errors import Outdated

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Versions = frozenset[str]


class Versioned(Protocol):
    """A row that counts its changes, and knows the last one."""

    @property
    def revision(self) -> int: ...

    @property
    def updated_at(self) -> datetime: ...


def version_of(row: Versioned) -> str:
    """Name the version: how often the row was changed, and when what is kept beside (counts, archived) last was."""
    return f"{row.revision:x}-{(row.updated_at - EPOCH) // timedelta(microseconds=1):x}"


def require_version(row: Versioned, expected: Versions | None) -> None:
    """Raise Outdated when a locked row is at none of the versions expected; None expects nothing."""
    if expected is not None and version_of(row) not in expected:
        raise Outdated
