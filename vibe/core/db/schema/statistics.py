"""Sealed columns stay out of the planner's statistics.

ANALYZE copies values of each column into pg_statistic, where they would outlive their rows: of a person who was erased
the wrapped data key, with which an old dump would open. Nothing is planned by a sealed value, so none is sampled.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, transaction

from vibe.core.crypto.fields import SealedColumn
from vibe.core.db.errors import DatabaseNotReady

# Those that ANALYZE may sample still, with their types.
SAMPLED = (
    "SELECT relname, attname, format_type(atttypid, atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid "
    "WHERE relnamespace = 'public'::regnamespace AND relname || '.' || attname = ANY(%(sealed)s) "
    "AND attstattarget IS DISTINCT FROM 0"
)
# Taking its own type anew rewrites nothing, and drops what was sampled before.
UNSAMPLED = "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type}, ALTER COLUMN {column} SET STATISTICS 0"
# Citus hands that on to no shard. It is said on each, and then, last of all, of the table that stands for them.
ON_SHARDS = "SELECT bool_and(success) FROM run_command_on_shards(%s, %s)"
HERE_ALONE = "SET LOCAL citus.enable_ddl_propagation = off"
MOVED = "SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass(%s)"


def sealed_columns() -> list[str]:
    """Return every sealed column, as table.column."""
    return [
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, SealedColumn)
    ]


def exclude_sealed_columns(*, using: str, **_: Any) -> None:
    """Exclude those that are not yet, after each `migrate`: columns that a migration adds are still empty then."""
    connection = connections[using]
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(SAMPLED, {"sealed": sealed_columns()})
        found = cursor.fetchall()
    for table, column, kind in found:
        statement = UNSAMPLED.format(table="{table}", column=quote(column), type=kind)
        if is_distributed(connection, table):
            exclude_on_shards(connection, table, statement)
        else:
            with connection.schema_editor(atomic=False) as editor:
                editor.execute(statement.format(table=quote(table)))


def is_distributed(connection: Any, table: str) -> bool:
    """Return whether a table's rows are on shards."""
    if not connection.distributed:
        return False
    with connection.cursor() as cursor:
        return cursor.execute(MOVED, [table]).fetchone() is not None


def exclude_on_shards(connection: Any, table: str, statement: str) -> None:
    """Exclude a column on every shard. Raises DatabaseNotReady when a shard failed: migrate again."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        done = cursor.execute(ON_SHARDS, [table, statement.format(table="%s")]).fetchone()[0]
        if not done:
            raise DatabaseNotReady(f"A shard of {table} did not take a sealed column out of its statistics. Try again.")
        cursor.execute(HERE_ALONE)
        cursor.execute(statement.format(table=connection.ops.quote_name(table)))
