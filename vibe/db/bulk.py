"""Past Django's compiler: many rows in one statement, and rows that are read for every answer.

Rows go in by `INSERT ... SELECT FROM unnest(...)`, in PostgreSQL's binary format. COPY would be faster still, but
PostgreSQL refuses it for tables under row-level security.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, models
from psycopg import sql

from vibe.db.trips import distributed, gives_rows

Column = tuple[str, Sequence[Any]]
Row = TypeVar("Row", bound=models.Model)
MOST_PARAMETERS = 65_535  # of one statement, by the protocol


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
    if distributed():
        return insert_values(table, columns, constant, tail)
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
    return run(
        statement, [*(value for _, value in constant.values()), *(list(values) for _, values in columns.values())]
    )


def insert_values(
    table: str, columns: Mapping[str, Column], same: Mapping[str, tuple[str, Any]], tail: str
) -> list[tuple[Any, ...]]:
    """The same on shards: rows of a SELECT go there by COPY, so these are written out, as many as parameters allow."""
    every = {**{name: (kind, None) for name, (kind, _) in same.items()}, **columns}
    row = sql.SQL("({})").format(sql.SQL(", ").join(map(written, [kind for kind, _ in every.values()])))
    size = MOST_PARAMETERS // len(every)
    rows = list(zip(*(values for _, values in columns.values()), strict=True))
    given: list[tuple[Any, ...]] = []
    for part in (rows[at : at + size] for at in range(0, len(rows), size)):
        statement = sql.SQL("INSERT INTO {} ({}) VALUES {} {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, every)),
            sql.SQL(", ").join([row] * len(part)),
            sql.SQL(tail),  # type: ignore[arg-type]
        )
        constant = [value for _, value in same.values()]
        given += run(statement, [value for values in part for value in (*constant, *values)])
    return given


def written(kind: str) -> sql.Composable:
    """A parameter as the value of a column."""
    source, _, target = kind.partition("::")
    one = f"%b::{sent(kind)}"
    if target:
        return sql.SQL(f"{one}::{target}")  # type: ignore[arg-type]
    return sql.SQL(f"ARRAY[{one}]" if source.endswith("[]") else one)  # type: ignore[arg-type]


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
        return cursor.fetchall() if gives_rows(cursor) else []


def as_models(model: type[Row], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Rows that a statement of ours read, as objects with these columns; any other is read when it is asked for.

    For what stands in the way of every answer: Django takes several times as long to write a query as to read its rows.
    """
    fields = [field for field in model._meta.concrete_fields if field.column in columns]
    names = [field.attname for field in fields]
    read = [(columns.index(field.column), getattr(field, "from_db_value", None)) for field in fields]
    return [
        model.from_db(
            DEFAULT_DB_ALIAS,
            names,
            [row[at] if convert is None else convert(row[at], None, connection) for at, convert in read],
        )
        for row in rows
    ]
