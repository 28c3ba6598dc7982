"""Migration operations that Django does not have: ones judged safe, batches of rows, removal of a column, partitions.

A column is removed while processes that know it still run: forget it first, drop it in a later release.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations import AddIndex, CreateModel, RemoveField, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.models import Index, Model
from tqdm import tqdm

from vibe.core.crypto.fields import SealedColumn
from vibe.core.db.backend.schema import retry_for_locks
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.roles import SYSTEM
from vibe.core.db.statements.batching import distributed, set_role_sql
from vibe.core.errors import ConfigurationError

SHORTEST = 15  # characters that a reason has at least

PAUSE = 0.5  # seconds until rows that others were changing are tried again
WALLED = "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(%s)"
LACKED = "SELECT NOT has_column_privilege(%s, %s, %s, %s)"
BATCH = """
WITH batch AS (
    SELECT {key} FROM {table} WHERE ({where}){beyond} ORDER BY {key} LIMIT {size} FOR NO KEY UPDATE SKIP LOCKED
), done AS (
    UPDATE {table} SET {set} FROM batch WHERE {table}.{key} = batch.{key} RETURNING {table}.{key}
)
SELECT count(*), (array_agg({key} ORDER BY {key} DESC))[1] FROM done
"""

# The partitions that have no index of their own under that of the whole table yet.
LACKING = """
SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
WHERE inhparent = to_regclass(%s) AND NOT EXISTS (
    SELECT FROM pg_inherits beneath JOIN pg_index ON indexrelid = beneath.inhrelid
    WHERE beneath.inhparent = to_regclass(%s) AND indrelid = part.oid
) ORDER BY 1
"""


class Assured(SeparateDatabaseAndState):
    """Operations that were judged safe. The reason is required, and read in review."""

    def __init__(self, reason: str, operations: Sequence[Operation]) -> None:
        if len(reason) < SHORTEST:
            raise ConfigurationError("Assured() needs a reason: why this holds nobody up and breaks nothing.")
        super().__init__(database_operations=operations, state_operations=operations)
        self.reason = reason

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [self.reason, self.database_operations], {}

    def describe(self) -> str:
        return "; ".join(operation.describe() for operation in self.database_operations)


# A cluster locks no rows of several shards by a SELECT, so there a batch waits for rows that others are changing.
KEYS = "SELECT {key} FROM {table} WHERE ({where}){beyond} ORDER BY {key} LIMIT {size}"
UPDATE = "UPDATE {table} SET {set} WHERE {key} = ANY(%s) AND ({where})"


class RunInBatches(Operation):
    """`UPDATE table SET set WHERE where`, `size` rows in one transaction, in the order of `key`.

    `where` must not hold for a row that is done: an interrupted run resumes by that alone. Locked rows are skipped and
    tried again. People's rows are hidden from the owner, who migrates, so there it works as `vibe_system`, which is
    granted the columns in `reads` and `writes` for that time. Sealed columns cannot be granted: a job changes them,
    person by person.

    Needs a migration with `atomic = False`. Reversed, it does nothing.
    """

    atomic = False
    reduces_to_sql = False
    reversible = True

    def __init__(
        self,
        table: str,
        *,
        set: str,
        where: str,
        writes: Sequence[str],
        reads: Sequence[str] = (),
        key: str = "id",
        size: int = 1000,
    ) -> None:
        self.table, self.set, self.where, self.key, self.size = table, set, where, key, size
        self.writes, self.reads = tuple(writes), tuple(reads)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        names = ("set", "where", "writes", "reads", "key", "size")
        return type(self).__qualname__, [self.table], {name: getattr(self, name) for name in names}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: rows change, the schema does not."""

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Do nothing: the values are dropped with their column."""

    def describe(self) -> str:
        return f"Update {', '.join(self.writes)} of {self.table} in batches of {self.size}"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        if connection.in_atomic_block:
            raise ConfigurationError(
                "RunInBatches needs a migration with `atomic = False`: else it is one transaction."
            )
        self.refuse_sealed(to_state.apps)
        with connection.cursor() as cursor, self.lent(cursor) as role:
            self.run(connection, cursor, role)

    def refuse_sealed(self, apps: Any) -> None:
        """Raise ConfigurationError for a column whose values only a person's own key opens."""
        for model in apps.get_models():
            for field in model._meta.local_fields if model._meta.db_table == self.table else ():
                if isinstance(field, SealedColumn) and field.column in {*self.reads, *self.writes}:
                    raise ConfigurationError(
                        f"{self.table}.{field.column} is sealed: change it by a job, person by person, as as_user()."
                    )

    def run(self, connection: Any, cursor: Any, role: str) -> None:
        """Walk by key until no rows are left. Raises DatabaseNotReady for rows that others keep locked."""
        deadline = time.monotonic() + settings.MIGRATION_PATIENCE
        with tqdm(total=self.left(connection, cursor, role), desc=self.describe(), unit="rows", disable=None) as bar:
            while True:
                for done in self.walk(connection, cursor, role):
                    bar.update(done)
                    deadline = time.monotonic() + settings.MIGRATION_PATIENCE
                if not (left := self.left(connection, cursor, role)):
                    return
                if time.monotonic() > deadline:
                    raise DatabaseNotReady(f"{left} rows of {self.table} are held by others. Run migrate again later.")
                time.sleep(PAUSE)

    def walk(self, connection: Any, cursor: Any, role: str) -> Iterator[int]:
        """Walk once over the table. Yield the number of rows of each batch."""
        last: Any = None
        while True:
            done, last = retry_for_locks(lambda last=last: self.batch(connection, cursor, role, last))  # type: ignore[misc]
            if not done:
                return
            yield done

    def batch(self, connection: Any, cursor: Any, role: str, last: Any) -> tuple[int, Any]:
        """Update up to `size` rows beyond a key in one transaction. Return how many there were, and the last key."""
        quote = connection.ops.quote_name
        names = {
            "table": quote(self.table), "key": quote(self.key), "size": self.size,
            "set": self.set.replace("%", "%%"), "where": self.where.replace("%", "%%"),
            "beyond": "" if last is None else f" AND {quote(self.key)} > %s",
        }  # fmt: skip
        beyond = [] if last is None else [last]
        with transaction.atomic(using=connection.alias):
            cursor.execute(set_role_sql(role))
            if not distributed():
                cursor.execute(BATCH.format(**names), beyond)
                found: tuple[int, Any] = cursor.fetchone()
                return found
            cursor.execute(KEYS.format(**names), beyond)
            keys = [key for (key,) in cursor.fetchall()]
            if keys:
                cursor.execute(UPDATE.format(**names), [keys])
        return len(keys), keys[-1] if keys else None

    def left(self, connection: Any, cursor: Any, role: str) -> int:
        """Count the rows that are not done."""
        with transaction.atomic(using=connection.alias):
            cursor.execute(set_role_sql(role))
            table = connection.ops.quote_name(self.table)
            cursor.execute(f"SELECT count(*) FROM {table} WHERE {self.where}")  # noqa: S608  the migration's own
            return int(cursor.fetchone()[0])

    @contextmanager
    def lent(self, cursor: Any) -> Iterator[str]:
        """Yield the role to work as, with the privileges that it needs for the block."""
        cursor.execute(WALLED, [self.table])
        found = cursor.fetchone()
        if not found or not found[0]:
            yield "none"
            return
        missing = [grant for grant in self.needed() if self.lacks(cursor, *grant)]
        try:
            for verb, column in missing:
                cursor.execute(f'GRANT {verb} ("{column}") ON "{self.table}" TO {SYSTEM}')
            yield SYSTEM
        finally:
            for verb, column in missing:
                cursor.execute(f'REVOKE {verb} ("{column}") ON "{self.table}" FROM {SYSTEM}')

    def needed(self) -> list[tuple[str, str]]:
        """Return the privileges needed, as verbs and columns."""
        return [
            *(("SELECT", column) for column in dict.fromkeys((self.key, *self.reads, *self.writes))),
            *(("UPDATE", column) for column in self.writes),
        ]

    def lacks(self, cursor: Any, verb: str, column: str) -> bool:
        """Return whether the system's role lacks a privilege."""
        cursor.execute(LACKED, [SYSTEM, self.table, column, verb])
        return bool(cursor.fetchone()[0])


class ForgetField(RemoveField):
    """RemoveField that leaves the column, so that processes of the previous release keep working.

    It may be null from here on, because new processes do not fill it. A release later: DropColumn.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model, field, nullable = self.both(app_label, from_state)
        if not field.null and self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.alter_field(model, field, nullable)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model, field, nullable = self.both(app_label, to_state)
        if not field.null and self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.alter_field(model, nullable, field)

    def both(self, app_label: str, state: Any) -> tuple[Any, Any, Any]:
        """Return the model, its field, and a nullable copy of the field."""
        model = state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        nullable = field.clone()
        nullable.null = True
        nullable.set_attributes_from_name(field.name)
        nullable.model, nullable.column = model, field.column
        return model, field, nullable

    def describe(self) -> str:
        return f"Forget field {self.name} of {self.model_name}, and keep its column"


class DropColumn(Operation):
    """Drop a column that no release in use knows any more. `definition`, such as `text`, restores it on reversal."""

    def __init__(self, table: str, column: str, definition: str) -> None:
        self.table, self.column, self.definition = table, column, definition

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [self.table, self.column, self.definition], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: the field was forgotten before."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(
            f"ALTER TABLE {schema_editor.quote_name(self.table)} "
            f"DROP COLUMN IF EXISTS {schema_editor.quote_name(self.column)}"
        )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(
            f"ALTER TABLE {schema_editor.quote_name(self.table)} "
            f"ADD COLUMN IF NOT EXISTS {schema_editor.quote_name(self.column)} {self.definition}"
        )

    def describe(self) -> str:
        return f"Drop column {self.column} of {self.table}"


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
