"""Many rows in one statement: `INSERT ... SELECT FROM unnest(...)`, in PostgreSQL's binary format.

COPY would be faster still, but PostgreSQL refuses it for tables under row-level security.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

Column = tuple[str, Sequence[Any]]
Kinds = tuple[tuple[str, str], ...]  # name and type of each column


def insert(
    table: str, columns: Mapping[str, Column], *, same: Mapping[str, tuple[str, Any]] | None = None, tail: str = ""
) -> list[tuple[Any, ...]]:
    """Insert rows given as columns: name -> (type, the values). All have one length.

    The type is that of one value. `text[]` makes each text an array of one; `text::bigint[]` sends texts and casts
    each, for what cannot be an element of an array itself. `same` gives columns that hold one value in every row:
    name -> (type, the value). `tail` is SQL of ours, such as ON CONFLICT or RETURNING; what that gives back is
    returned.
    """
    constant = same or {}
    statement = inserting(
        table,
        tuple((name, kind) for name, (kind, _) in constant.items()),
        tuple((name, kind) for name, (kind, _) in columns.items()),
        tail,
    )
    return run(
        statement, [*(value for _, value in constant.values()), *(list(values) for _, values in columns.values())]
    )


@lru_cache(maxsize=256)
def inserting(table: str, constant: Kinds, columns: Kinds, tail: str) -> str:
    """The statement. It is composed once: that takes longer than running it."""
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in (*constant, *columns)),
        sql.SQL(", ").join(
            (
                *(sql.SQL("%b::" + kind) for _, kind in constant),  # type: ignore[arg-type]
                *(selected(name, kind) for name, kind in columns),
            )
        ),
        sql.SQL(", ").join(sql.SQL("%b::" + sent(kind) + "[]") for _, kind in columns),  # type: ignore[arg-type]
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        sql.SQL(tail),  # type: ignore[arg-type]
    )
    return statement.as_string(None)


def sent(kind: str) -> str:
    """The type that a value travels as."""
    return kind.partition("::")[0].removesuffix("[]")


def selected(name: str, kind: str) -> sql.Composed:
    """How a column is made of the value that travelled."""
    _, _, target = kind.partition("::")
    form = "{}::" + target if target else "ARRAY[{}]" if kind.endswith("[]") else "{}"
    return sql.SQL(form).format(sql.Identifier("given", name))  # type: ignore[arg-type]


def run(statement: Any, parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement with parameters bound by the server, which Django's own cursors do not do here.

    Like them it refuses a transaction that is to be given up: the role there may be an inner scope's still.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
