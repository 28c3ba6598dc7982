"""Pending migrations, applied once however many replicas start together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from vibe.core.db.migrating.lock import migration_lock

Name = tuple[str, str]  # app, migration


def pending() -> list[str]:
    """Return the migrations of this code that the database lacks, such as `accounts.0007_takeout`."""
    there = set(MigrationRecorder(connection).applied_migrations())
    return [f"{app}.{name}" for app, name in known() if (app, name) not in there]


@cache
def known() -> tuple[Name, ...]:
    """Return the migrations of this code, in the order they are applied."""
    graph = MigrationLoader(None).graph
    return tuple(dict.fromkeys(node for leaf in graph.leaf_nodes() for node in graph.forwards_plan(leaf)))


def apply_pending(say: Callable[[str], None]) -> list[str]:
    """Apply pending migrations and return them; none, if another replica applied them meanwhile."""
    if not pending():
        return []
    with migration_lock(lambda: say("Another replica migrates; waiting for it.")):
        missing = pending()
        if missing:
            say(f"Applying {len(missing)} migrations …")
            call_command("migrate", verbosity=0, interactive=False)
        return missing
