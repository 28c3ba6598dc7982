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
    """Insert rows given as columns: name -> (type, the values). All have one length.

    The type is that of one value. `text[]` makes each text an array of one; `text::bigint[]` sends texts and casts each,
    for what cannot be an element of an array itself. `tail` is SQL of ours, such as ON CONFLICT or RETURNING; what that
    gives back is returned.
    """
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given({}) {}").format(
        sql.Identifier(table),
        names := sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(selected(name, kind) for name, (kind, _) in columns.items()),
        sql.SQL(", ").join(sql.SQL("%b::" + sent(kind) + "[]") for kind, _ in columns.values()),  # type: ignore[arg-type]
        names,
        sql.SQL(tail),  # type: ignore[arg-type]
    )
    return run(statement, [list(values) for _, values in columns.values()])


def sent(kind: str) -> str:
    """The type that a value travels as."""
    return kind.partition("::")[0].removesuffix("[]")


def selected(name: str, kind: str) -> sql.Composed:
    """How a column is made of the value that travelled."""
    _, _, target = kind.partition("::")
    form = "{}::" + target if target else "ARRAY[{}]" if kind.endswith("[]") else "{}"
    return sql.SQL(form).format(sql.Identifier("given", name))  # type: ignore[arg-type]


def run(statement: Any, parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement with parameters bound by the server, which Django's own cursors do not do here."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
