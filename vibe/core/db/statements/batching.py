"""This thread's connection, and several statements in one round trip.

Citus forwards the whole text that contains a `SET LOCAL` to the shards, so there such a statement is sent alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql

from vibe.core.db.backend.base import Cursor

if TYPE_CHECKING:
    from vibe.core.db.backend.base import DatabaseWrapper

Rows = list[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]
"""A statement with `%s`, and its parameters."""

# Citus would forward SET LOCAL to the shards. It logs in there as the role that is in effect here, and that role may
# not take another one.
SET_ROLE, SET_ROLE_ON_COORDINATOR = (
    "SET LOCAL ROLE {role}",
    "DO $$BEGIN PERFORM set_config('role', '{role}', true); END$$",
)


def current_connection() -> DatabaseWrapper:
    """Return the connection itself, not Django's proxy, which looks it up for each attribute and has no types."""
    return cast("DatabaseWrapper", connections[DEFAULT_DB_ALIAS])


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Make the transaction that begins in the block read from one snapshot.

    Said with its BEGIN, which costs no round trip and reaches the shards. Inside a transaction it is that one's affair.
    """
    connection = current_connection()
    if connection.in_atomic_block:
        yield
        return
    connection.isolation = "ISOLATION LEVEL REPEATABLE READ"
    try:
        yield
    finally:
        connection.isolation = ""


def execute_literal_batch(statements: Sequence[sql.Composable]) -> list[Rows]:
    """Run statements with their values written out, and return the rows of each statement that returns rows.

    They are never prepared, so each is planned for its values. Like Django's own cursors, refuse a transaction that is
    marked for rollback.
    """
    trips = statements if distributed() else [sql.SQL("; ").join(statements)]
    return fetch_all([(trip, None) for trip in trips])


def execute_batch(*asked: Statement) -> list[Rows]:
    """Run statements that have parameters, and return the rows as `execute_literal_batch` does."""
    if not asked or (distributed() and any("SET LOCAL" in text for text, _ in asked)):
        return fetch_all(asked)
    return fetch_all([("; ".join(text for text, _ in asked), [value for _, values in asked for value in values])])


def fetch_all(trips: Sequence[tuple[Any, Sequence[Any] | None]]) -> list[Rows]:
    """Send each text, and return the rows of all statements in them."""
    connection = current_connection()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        return [rows for text, values in trips for rows in fetch_results(cursor.execute(text, values))]


def distributed() -> bool:
    """Return whether the database is a Citus cluster."""
    return current_connection().distributed


def fetch_results(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[Rows]:
    """Return the rows of each statement of one text that returns rows."""
    found = []
    while True:
        if returns_rows(cursor):
            found.append(cursor.fetchall())
        if not cursor.nextset():
            return found


def returns_rows(cursor: psycopg.Cursor[Any]) -> bool:
    """Return whether the statement returns rows. (`description` would build an object for each column.)"""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0


def set_role_sql(role: str) -> str:
    """Return the statement that sets a role until the transaction ends; `none` resets it."""
    return (SET_ROLE_ON_COORDINATOR if distributed() else SET_ROLE).format(role=role)
