"""Operations for partitioned tables."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations import AddIndex, CreateModel
from django.db.models import Index, Model

# The partitions that have no index of their own under that of the whole table yet.
LACKING = """
SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
WHERE inhparent = to_regclass(%s) AND NOT EXISTS (
    SELECT FROM pg_inherits beneath JOIN pg_index ON indexrelid = beneath.inhrelid
    WHERE beneath.inhparent = to_regclass(%s) AND indrelid = part.oid
) ORDER BY 1
"""


class CreatePartitionedModel(CreateModel):
    """CreateModel for a table partitioned by range of one column, which joins the primary key as PostgreSQL demands."""

    def __init__(self, *args: Any, partition_by: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.partition_by = partition_by

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        return name, list(args), {**kwargs, "partition_by": self.partition_by}

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        statement, parameters = schema_editor.table_sql(model)
        key = schema_editor.quote_name(model._meta.pk.column)
        column = schema_editor.quote_name(self.partition_by)
        body = statement.replace(" PRIMARY KEY", "", 1).rstrip().removesuffix(")")
        partitioned = f"{body}, PRIMARY KEY ({key}, {column})) PARTITION BY RANGE ({column})"
        schema_editor.execute(partitioned, parameters or None)
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))


class AddPartitionedIndex(AddIndex):
    """AddIndex for a partitioned table: PostgreSQL cannot build it concurrently on the whole, but on each partition.

    The index of the whole is made first, empty and invalid; it becomes valid when the last partition's is attached. A
    partition that is made meanwhile gets its own. Run again after a stop, it resumes with the partitions without one.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        for statement in partitioned_index_sql(self.index, model, schema_editor):
            schema_editor.execute(statement)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.execute(f"DROP INDEX IF EXISTS {schema_editor.quote_name(self.index.name)}")


def partitioned_index_sql(index: Index, model: type[Model], schema_editor: Any) -> list[str]:
    """Return the statements that make an index of a partitioned table, or what is lacking of it."""
    table, name, quote = model._meta.db_table, index.name, schema_editor.quote_name
    parts = index.create_sql(model, schema_editor).parts
    statements = [index_statement(parts, "INDEX IF NOT EXISTS", name=quote(name), table=f"ONLY {quote(table)}")]
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(LACKING, [table, name])
        lacking = [part for (part,) in cursor.fetchall()]
    for part in lacking:
        own = quote(f"{name}{part.removeprefix(table)}")
        statements += [
            index_statement(parts, "INDEX CONCURRENTLY IF NOT EXISTS", name=own, table=quote(part)),
            f"ALTER INDEX {quote(name)} ATTACH PARTITION {own}",
        ]
    return statements


def index_statement(parts: dict[str, Any], kind: str, **names: str) -> str:
    """Return Django's statement for an index, with another kind, name and table."""
    return str(DatabaseSchemaEditor.sql_create_index.replace("INDEX", kind, 1) % {**parts, **names})
