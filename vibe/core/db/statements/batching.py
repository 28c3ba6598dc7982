"""Several statements in one round trip, where the database is one machine.

Citus sends the whole text that a `SET LOCAL` came in on to the shards, whatever else stands in it, so there each
statement goes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from vibe.core.db.backend.cursors import Cursor
from vibe.core.db.statements.connection import current_connection

Rows = list[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]
"""A statement with `%s`, and its parameters."""


# Not by SET LOCAL where Citus would repeat it on the shards: it logs in there as the role that is taken here, and that
# one may take no other.
SET_ROLE, SET_ROLE_ON_COORDINATOR = (
    "SET LOCAL ROLE {role}",
    "DO $$BEGIN PERFORM set_config('role', '{role}', true); END$$",
)


def execute_literal_batch(statements: Sequence[sql.Composable]) -> list[Rows]:
    """Run statements, values and all written out, and give the rows of each that gives rows.

    Nothing sent this way is ever a prepared statement, so each is planned for the values it has. Like Django's own
    cursors it refuses a transaction that is to be given up.
    """
    trips = statements if distributed() else [sql.SQL("; ").join(statements)]
    return fetch_all([(trip, None) for trip in trips])


def execute_batch(*asked: Statement) -> list[Rows]:
    """The same for statements that stay as they are, with parameters: written in less time than a composed one."""
    if distributed():
        return fetch_all(asked)
    return fetch_all([("; ".join(text for text, _ in asked), [value for _, values in asked for value in values])])


def fetch_all(trips: Sequence[tuple[Any, Sequence[Any] | None]]) -> list[Rows]:
    """The rows of every statement of these trips."""
    connection = current_connection()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        return [rows for text, values in trips for rows in fetch_results(cursor.execute(text, values))]


def distributed() -> bool:
    """Whether the database is a Citus cluster: see vibe.core.db.backend."""
    return current_connection().distributed


def fetch_results(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[Rows]:
    """The rows of each statement of a trip that gives rows."""
    found = []
    while True:
        if returns_rows(cursor):
            found.append(cursor.fetchall())
        if not cursor.nextset():
            return found


def returns_rows(cursor: psycopg.Cursor[Any]) -> bool:
    """Whether the statement gives rows, be it none. (`description` would make an object of each column.)"""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0


def set_role_sql(role: str) -> str:
    """The statement that takes a role until the transaction ends; `none` gives it back."""
    return (SET_ROLE_ON_COORDINATOR if distributed() else SET_ROLE).format(role=role)
