"""Databases of other versions: those before a change that no migration goes across are refused, newer ones named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from vibe.core.db.errors import DatabaseNotReady

RETIRED: Final = frozenset({
    ("stories", "0002_token_use"), ("stories", "0003_corrections_and_deletions"), ("stories", "0004_next_vectors"),
})  # fmt: skip
"""Migrations that were released and are gone. Nothing new is named so."""
WHAT_TO_DO: Final = (
    "Export each person with the version that wrote it, and import the exports into a new database: "
    "see docs/migrations.md."
)


def retired_of(applied: Iterable[tuple[str, str]]) -> list[str]:
    """Return those of the applied migrations that are gone from this version, such as `stories.0002_token_use`."""
    return sorted(f"{app}.{name}" for app, name in RETIRED.intersection(applied))


def newer_of(applied: Iterable[tuple[str, str]]) -> list[str]:
    """Return those of the applied migrations of our apps that only a newer version has, such as `stories.0002_use`."""
    known = MigrationLoader(None).disk_migrations.keys()
    ours = {app for app, _ in known}
    return sorted(f"{app}.{name}" for app, name in set(applied) - known - RETIRED if app in ours)


def require_current_database() -> None:
    """Raise DatabaseNotReady if a migration was applied that is gone from this version."""
    if retired := retired_of(MigrationRecorder(connection).applied_migrations()):
        raise DatabaseNotReady(
            f"The database is of an earlier version: migration {retired[0]} is gone from this one, and none leads "
            f"from there to here. {WHAT_TO_DO}"
        )
