"""Sealed columns stay out of the planner's statistics.

ANALYZE copies values of each column into pg_statistic, where they would outlive their rows: of a person who was erased
the wrapped data key, with which an old dump would open. Nothing is planned by a sealed value, so none is sampled.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

from vibe.crypto.fields import SealedColumn

# Those that ANALYZE may sample still, with their types.
SAMPLED = (
    "SELECT relname, attname, format_type(atttypid, atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid "
    "WHERE relnamespace = 'public'::regnamespace AND relname || '.' || attname = ANY(%(sealed)s) "
    "AND attstattarget IS DISTINCT FROM 0"
)
# Taking its own type anew rewrites nothing, and drops what was sampled before.
UNSAMPLED = "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type}, ALTER COLUMN {column} SET STATISTICS 0"


def sealed_columns() -> list[str]:
    """Every sealed column, as table.column."""
    return [
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, SealedColumn)
    ]


def keep_out(*, using: str, **_: Any) -> None:
    """Take those out that are not yet, after each `migrate`: what a migration adds is still empty then."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(SAMPLED, {"sealed": sealed_columns()})
        found = cursor.fetchall()
    if found and not connection.distributed:  # type: ignore[attr-defined]  # Citus takes no SET STATISTICS; doctor tells
        quote = connection.ops.quote_name
        with connection.schema_editor(atomic=False) as editor:
            for table, column, kind in found:
                editor.execute(UNSAMPLED.format(table=quote(table), column=quote(column), type=kind))
