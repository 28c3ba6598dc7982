"""Take protections of the database away, for attacks by the tables' owner and for negative controls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


@contextmanager
def unprotected(*tables: str, row_security: bool = True, triggers: str = "") -> Iterator[Any]:
    """Lift protections from tables, give a cursor of their owner, and put the protections back, also on failure.

    `triggers` is the name of one, or USER for all that are not constraints. Without `row_security` only they go.
    It all happens in one transaction, so an exception undoes what the block did.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE oid = ANY(%s::regclass[]) AND relforcerowsecurity",
            [list(tables)],
        )
        forced = [table for (table,) in cursor.fetchall() if row_security]
        alter(cursor, [f"{table} NO FORCE ROW LEVEL SECURITY" for table in forced])
        alter(cursor, [f"{table} DISABLE TRIGGER {triggers}" for table in tables if triggers])
        yield cursor
        alter(cursor, [f"{table} ENABLE TRIGGER {triggers}" for table in tables if triggers])
        alter(cursor, [f"{table} FORCE ROW LEVEL SECURITY" for table in forced])


def alter(cursor: Any, changes: list[str]) -> None:
    """Change tables. PostgreSQL refuses it while deferred constraints wait, so they are checked first."""
    for change in changes:
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {change}; SET CONSTRAINTS ALL DEFERRED")
