"""Many rows in one statement: `INSERT ... SELECT FROM unnest(...)`, in PostgreSQL's binary format.

COPY would be faster still, but PostgreSQL refuses it for tables under row-level security.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

Column = tuple[str, Sequence[Any]]


def insert(table: str, columns: Mapping[str, Column], *, tail: str = "") -> list[tuple[Any, ...]]:
    """Insert rows given as columns: name -> (type of one value, the values). All have one length.

    A type of `text[]` wraps each single text as an array of one. `tail` is SQL of ours, such as ON CONFLICT or
    RETURNING; what that gives back is returned.
    """
    arrays = {name: kind.removesuffix("[]") for name, (kind, _) in columns.items()}
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(
            sql.SQL("ARRAY[{}]" if kind.endswith("[]") else "{}").format(sql.Identifier("given", name))
            for name, (kind, _) in columns.items()
        ),
        sql.SQL(", ").join(sql.SQL("%b::" + kind + "[]") for kind in arrays.values()),  # type: ignore[arg-type]
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(tail),  # type: ignore[arg-type]
    )
    return run(statement, [list(values) for _, values in columns.values()])


def run(statement: Any, parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement with parameters bound by the server, which Django's own cursors do not do here."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
