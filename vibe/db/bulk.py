"""Many rows in one statement: `INSERT ... SELECT FROM unnest(...)`, in PostgreSQL's binary format.

PostgreSQL refuses COPY into a table under row-level security. Through a temporary table it can be done, and
saves nothing at the sizes that are written here: `python -m benchmarks.bulk`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import sql
from psycopg.types import TypeInfo

Column = tuple[str, Sequence[Any]]


def insert(
    table: str, columns: Mapping[str, Column], *, same: Mapping[str, tuple[str, Any]] | None = None, tail: str = ""
) -> list[tuple[Any, ...]]:
    """Insert rows given as columns: name -> (type, the values). All have one length.

    The type is that of one value. `text[]` makes each text an array of one; `text::bigint[]` sends texts and casts
    each, for what cannot be an element of an array itself. Values of `halfvec` are pgvector's HalfVector, or None: two
    bytes a number, where text takes 20 times the work to write and read. `same` gives columns that hold one value in
    every row: name -> (type, the value). `tail` is SQL of ours, such as ON CONFLICT or RETURNING; what that gives back
    is returned.
    """
    constant = same or {}
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, (*constant, *columns))),
        sql.SQL(", ").join(
            (
                *(sql.SQL("%b::" + kind) for kind, _ in constant.values()),  # type: ignore[arg-type]
                *(selected(name, kind) for name, (kind, _) in columns.items()),
            )
        ),
        sql.SQL(", ").join(sql.SQL("%b::" + sent(kind) + "[]") for kind, _ in columns.values()),  # type: ignore[arg-type]
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(tail),  # type: ignore[arg-type]
    )
    parameters = [*(value for _, value in constant.values()), *(list(values) for _, values in columns.values())]
    return run(statement, parameters, vectors=any(kind == "halfvec" for kind, _ in columns.values()))


def sent(kind: str) -> str:
    """The type that a value travels as."""
    return kind.partition("::")[0].removesuffix("[]")


def selected(name: str, kind: str) -> sql.Composed:
    """How a column is made of the value that travelled."""
    _, _, target = kind.partition("::")
    form = "{}::" + target if target else "ARRAY[{}]" if kind.endswith("[]") else "{}"
    return sql.SQL(form).format(sql.Identifier("given", name))  # type: ignore[arg-type]


def run(statement: Any, parameters: Any, *, vectors: bool = False) -> list[tuple[Any, ...]]:
    """Run one statement with parameters bound by the server, which Django's own cursors do not do here.

    With `vectors`, HalfVector is known among the parameters.
    Like them it refuses a transaction that is to be given up: the role there may be an inner scope's still.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        if vectors:
            register_halfvec_info(cursor, halfvec())  # type: ignore[arg-type]
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def halfvec() -> TypeInfo:
    """What this database knows pgvector's type by, asked once a connection: an extension's has no fixed number."""
    known, info = getattr(connection, "vibe_halfvec", (None, None))
    if known is not connection.connection or info is None:
        info = TypeInfo.fetch(connection.connection, "halfvec")
        connection.vibe_halfvec = (connection.connection, info)  # type: ignore[attr-defined]
    return info  # type: ignore[no-any-return]
