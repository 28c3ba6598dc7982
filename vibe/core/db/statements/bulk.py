"""Run statements past Django's compiler: many rows in one statement, and rows that every request reads.

PostgreSQL refuses COPY into a table under row-level security. Through a temporary table it can be done, and
saves nothing at the sizes that are written here: `python -m benchmarks.bulk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, models
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import sql
from psycopg.types import TypeInfo

from vibe.core.db.backend.base import Cursor, holds
from vibe.core.db.errors import PoolerMisconfigured
from vibe.core.db.statements.batching import current_connection, distributed, returns_rows

Column = tuple[str, Sequence[Any]]
Kinds = tuple[tuple[str, str], ...]  # name and type of each column
Row = TypeVar("Row", bound=models.Model)
OF_ANOTHER_SESSION = (psycopg.errors.DuplicatePreparedStatement, psycopg.errors.InvalidSqlStatementName)
MOST_PARAMETERS = 65_535  # of one statement, by the protocol
MOST_LATER = 8
"""Rows that go with the next statement."""


def insert(
    table: str,
    columns: Mapping[str, Column],
    *,
    same: Mapping[str, tuple[str, Any]] | None = None,
    tail: str = "",
    later: bool = False,
) -> list[tuple[Any, ...]]:
    """Insert rows given as columns: name -> (type, the values). All have one length.

    The type is that of one value. `text[]` makes each text an array of one; `text::bigint[]` sends texts and casts
    each, for what cannot be an element of an array itself. Values of `halfvec` are pgvector's HalfVector, or None: two
    bytes a number, where text takes 20 times the work to write and read. `same` gives columns that hold one value in
    every row: name -> (type, the value). `tail` is SQL of ours, such as ON CONFLICT or RETURNING; what that gives back
    is returned. With `later` a few rows go with the next statement of the transaction, which then raises their error:
    for what gives nothing back. Their vectors are sent as text, which for so few costs less than a round trip.
    """
    constant = same or {}
    if distributed():
        return insert_values(table, columns, constant, tail)
    vectors = holds_vectors(columns)
    size = max(len(values) for _, values in columns.values())
    if later and size == 1:
        one = {**constant, **{name: (kind, values[0]) for name, (kind, values) in columns.items()}}
        statement = insert_one_statement(table, tuple((name, kind) for name, (kind, _) in one.items()), tail)
        hold(statement, [value for _, value in one.values()], vectors=vectors)
        return []
    statement = insert_statement(
        table,
        tuple((name, kind) for name, (kind, _) in constant.items()),
        tuple((name, kind) for name, (kind, _) in columns.items()),
        tail,
    )
    parameters = [*(value for _, value in constant.values()), *(list(values) for _, values in columns.values())]
    if later and size <= MOST_LATER:
        hold(statement, parameters, vectors=vectors)
        return []
    return run(statement, parameters, vectors=vectors)


def hold(statement: str, parameters: Sequence[Any], *, vectors: bool = False) -> None:
    """Send a statement with the next one of the transaction, in its round trip."""
    connection = current_connection()
    if vectors and not getattr(connection.connection, "knows_vectors", False):
        connection.send_held()
        register_vectors(connection.connection)
    connection.hold(statement, parameters)


def insert_values(
    table: str, columns: Mapping[str, Column], same: Mapping[str, tuple[str, Any]], tail: str
) -> list[tuple[Any, ...]]:
    """Insert rows on shards, as VALUES, as many as parameters allow: rows of a SELECT would go there by COPY."""
    every = {**{name: (kind, None) for name, (kind, _) in same.items()}, **columns}
    row = sql.SQL("({})").format(sql.SQL(", ").join(map(value_sql, [kind for kind, _ in every.values()])))
    size, vectors = MOST_PARAMETERS // len(every), holds_vectors(columns)
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
        given += run(statement, [value for values in part for value in (*constant, *values)], vectors=vectors)
    return given


def holds_vectors(columns: Mapping[str, Column]) -> bool:
    """Return whether any column holds vectors."""
    return any(kind == "halfvec" for kind, _ in columns.values())


def value_sql(kind: str) -> sql.Composable:
    """Return the SQL of a parameter as the value of a column."""
    source, _, target = kind.partition("::")
    one = f"%b::{wire_type(kind)}"
    if target:
        return sql.SQL(f"{one}::{target}")  # type: ignore[arg-type]
    return sql.SQL(f"ARRAY[{one}]" if source.endswith("[]") else one)  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def insert_one_statement(table: str, columns: Kinds, tail: str) -> str:
    """Return the statement for one row."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        sql.SQL(", ").join(value_sql(kind) for _, kind in columns),
        sql.SQL(tail),  # type: ignore[arg-type]
    )
    return statement.as_string(None)


@lru_cache(maxsize=256)
def insert_statement(table: str, constant: Kinds, columns: Kinds, tail: str) -> str:
    """Return the statement. It is composed once, because composing takes longer than running it."""
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in (*constant, *columns)),
        sql.SQL(", ").join(
            (
                *(sql.SQL("%b::" + kind) for _, kind in constant),  # type: ignore[arg-type]
                *(select_sql(name, kind) for name, kind in columns),
            )
        ),
        sql.SQL(", ").join(sql.SQL("%b::" + wire_type(kind) + "[]") for _, kind in columns),  # type: ignore[arg-type]
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        sql.SQL(tail),  # type: ignore[arg-type]
    )
    return statement.as_string(None)


def wire_type(kind: str) -> str:
    """Return the type that a value is sent as."""
    return kind.partition("::")[0].removesuffix("[]")


def select_sql(name: str, kind: str) -> sql.Composed:
    """Return the SQL that makes a column of the value that was sent."""
    _, _, target = kind.partition("::")
    form = "{}::" + target if target else "ARRAY[{}]" if kind.endswith("[]") else "{}"
    return sql.SQL(form).format(sql.Identifier("given", name))  # type: ignore[arg-type]


def run(
    statement: Any, parameters: Any, *, vectors: bool = False, binary: bool = False, prepared: bool = False
) -> list[tuple[Any, ...]]:
    """Run one statement with parameters bound by the server, which Django's own cursors do not do here.

    With `vectors`, HalfVector is known among the parameters; with `binary`, rows are sent as the server holds them,
    which is less work where they are many. With `prepared` the session keeps the statement, read and planned, for the
    next time, unless a pooler stands before the server or it is Citus: for what is asked often, has one way to be
    fetched whatever the parameters, and gives no column as it is, whose type a migration might change under it.
    Without vectors, the first statement of a transaction is written out by the
    driver instead, and goes in one round trip with what begins that.
    Like them it refuses a transaction that is to be given up: the role there may be an inner scope's still.
    """
    connection = current_connection()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    if vectors:
        connection.send_held()
        register_vectors(connection.connection)
    kind = Cursor if holds(connection.connection) else psycopg.Cursor
    with connection.wrap_database_errors, kind(connection.connection) as cursor:
        try:
            cursor.execute(statement, parameters, binary=binary and kind is psycopg.Cursor, prepare=prepared)
        except OF_ANOTHER_SESSION:
            raise PoolerMisconfigured from None
        return cursor.fetchall() if returns_rows(cursor) else []


def as_models(model: type[Row], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Build model objects of rows that were read with these columns; other columns are read when they are accessed.

    For what stands in the way of every answer: Django takes several times as long to write a query as to read its rows.
    """
    names, read = field_readers(model, tuple(columns))
    return [
        model.from_db(
            DEFAULT_DB_ALIAS,
            names,
            [row[at] if convert is None else convert(row[at], None, connection) for at, convert in read],
        )
        for row in rows
    ]


@cache
def field_readers(model: type[models.Model], columns: tuple[str, ...]) -> tuple[list[str], list[tuple[int, Any]]]:
    """Return the fields of these columns in the model's order: their names, their places, and their converters."""
    fields = [field for field in model._meta.concrete_fields if field.column in columns]
    read = [(columns.index(field.column), getattr(field, "from_db_value", None)) for field in fields]
    return [field.attname for field in fields], read


def register_vectors(connection: psycopg.Connection[Any]) -> None:
    """Register pgvector's type on a connection, once: the OID of an extension's type differs between databases."""
    if not getattr(connection, "knows_vectors", False):
        known = TypeInfo.fetch(connection, "halfvec")
        register_halfvec_info(connection, known)  # type: ignore[arg-type]  # no table of ours is there without it
        connection.knows_vectors = True  # type: ignore[attr-defined]
