"""Judging migrations before they run: what holds others up or breaks running processes is refused, by name of the rule.

Exempt are first migrations, whose tables nobody uses yet, those written before the first release, and operations on
tables that the same migration makes.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.operations import CreateExtension
from django.db import connection, models
from django.db.migrations import operations as django
from django.db.migrations.loader import MigrationLoader
from django.db.models import Value
from django.db.models.functions import Now

from vibe.db.backend.schema import Stepwise
from vibe.db.constraints import CompositeReference, Privileges, RowSecurity
from vibe.db.migration_rules import BY_ID, CONCURRENTLY, STEPWISE, Rule, broken, rule
from vibe.db.operations import Assured, DropColumn, ForgetField, RunInBatches

HARMLESS = (
    django.CreateModel, django.AlterModelOptions, django.AlterModelManagers, django.AlterModelTableComment,
    django.RenameIndex, django.RemoveConstraint, CreateExtension, Assured, ForgetField, DropColumn,
)  # fmt: skip
BEFORE_THE_FIRST_RELEASE = frozenset(
    {"accounts.0009_one_time_secrets_wrapped", "stories.0003_corrections_and_deletions"}
)  # complete: no other is added
WRITES = frozenset({"update", "delete", "save", "create", "bulk_create", "bulk_update", "get_or_create"})
NEVER = r"(?!)"  # rules that no text breaks: they are of operations alone
IN_TRANSACTION = rule("concurrently-in-transaction", NEVER, "CONCURRENTLY and batches do not work in a transaction.",
                      "Give the migration `atomic = False`.")  # fmt: skip
MIXED = rule("data-and-shape", NEVER, "Changes rows and the schema in one: it cannot be tried again by half.",
             "Two migrations: first the shape, then RunInBatches.")  # fmt: skip
UNKNOWN = rule("unknown-operation", NEVER, "Nobody has said what locks this takes.",
               "Look it up, and wrap it in Assured() with the reason.")  # fmt: skip
TOGETHER = rule("together", NEVER, "Builds or drops an index under a lock.", f"A UniqueConstraint or Index. {STEPWISE}")
OPERATION_RULES = (IN_TRANSACTION, MIXED, UNKNOWN, TOGETHER)


@dataclass(frozen=True, slots=True)
class Finding:
    """One operation of one migration that is refused."""

    migration: str
    operation: str
    rule: Rule

    def __str__(self) -> str:
        return f"{self.migration}: {self.operation}\n  {self.rule.id}: {self.rule.why}\n  Instead: {self.rule.instead}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What surrounds an operation: its migration, the state before it, and the tables that are new."""

    migration: Any
    app: str
    before: Any
    fresh: frozenset[str]

    def field(self, operation: Any) -> Any:
        """The field that an operation alters, as it was."""
        return self.before.apps.get_model(self.app, operation.model_name)._meta.get_field(operation.name)

    def is_fresh(self, operation: Any) -> bool:
        """Whether the operation is on a model that this migration makes."""
        return str(getattr(operation, "model_name", "")).lower() in self.fresh


def findings(labels: Iterable[str]) -> Iterator[Finding]:
    """What is refused in the migrations of these apps, in the order they are applied."""
    loader = MigrationLoader(None)
    wanted = set(labels)
    state = loader.project_state([])
    for key in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):  # type: ignore[attr-defined]
        migration = loader.graph.nodes[key]
        if migration.app_label in wanted and not is_exempt(migration):
            yield from judged(migration, state)
        state = migration.mutate_state(state, preserve=False)


def is_exempt(migration: Any) -> bool:
    """Whether nobody can have used its tables when it is applied."""
    return bool(migration.initial) or f"{migration.app_label}.{migration.name}" in BEFORE_THE_FIRST_RELEASE


def judged(migration: Any, state: Any) -> Iterator[Finding]:
    """What is refused in one migration, given the state before it."""
    before = state.clone()
    fresh: set[str] = set()
    name = f"{migration.app_label}.{migration.name}"
    for operation in migration.operations:
        if isinstance(operation, django.CreateModel):
            fresh |= {operation.name_lower, operation.options.get("db_table", "")}
        setting = Setting(migration, migration.app_label, before, frozenset(fresh))
        for each in rules_broken(operation, setting):
            yield Finding(name, operation.describe(), each)
        before = before.clone()
        operation.state_forwards(migration.app_label, before)
    if changes_both(migration.operations):
        yield Finding(name, "the whole", MIXED)


def changes_both(operations: Iterable[Any]) -> bool:
    """Whether rows and shape change in one."""
    kinds = {isinstance(each, RunInBatches) for each in operations}
    return len(kinds) == 2


def rules_broken(operation: Any, setting: Setting) -> Iterator[Rule]:
    """The rules that one operation breaks."""
    if isinstance(operation, HARMLESS) or setting.is_fresh(operation):
        return
    if isinstance(operation, django.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from rules_broken(inner, setting)
        return
    for kind, judge in JUDGES:
        if isinstance(operation, kind):
            yield from judge(operation, setting)
            return
    yield UNKNOWN


def of_sql(operation: Any, setting: Setting) -> Iterator[Rule]:
    """RunSQL."""
    given = operation.sql if isinstance(operation.sql, list | tuple) else [operation.sql]
    text = ";".join(each if isinstance(each, str) else str(each[0]) for each in given)
    yield from of_text(text, setting)


def of_text(text: str, setting: Setting) -> Iterator[Rule]:
    """Statements, wherever they come from."""
    yield from broken(text, fresh=setting.fresh)
    if CONCURRENTLY.search(text) and setting.migration.atomic:
        yield IN_TRANSACTION


def of_python(operation: Any, setting: Setting) -> Iterator[Rule]:
    """RunPython: the SQL in its source, and calls that change rows."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(operation.code)))
    except (OSError, TypeError, SyntaxError):
        yield UNKNOWN
        return
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr):
            found |= set(of_text(spoken(node), setting))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            found.add(BY_ID["rows-at-once"])
    yield from sorted(found, key=lambda each: each.id)


def spoken(node: Any) -> str:
    """A text in a source, with a word where something is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "given" for each in node.values)
    return node.value if isinstance(node.value, str) else ""


def of_new_field(operation: Any, setting: Setting) -> Iterator[Rule]:
    """AddField."""
    field = operation.field
    if field.many_to_many:
        return  # a table of its own
    if isinstance(field, models.AutoField | models.BigAutoField | models.SmallAutoField):
        yield BY_ID["serial-column"]
    elif isinstance(field, models.GeneratedField):
        if field.db_persist:  # type: ignore[attr-defined]
            yield BY_ID["stored-generated"]
    elif field.has_db_default():
        if not isinstance(field.db_default, Value | Now) and hasattr(field.db_default, "resolve_expression"):
            yield BY_ID["volatile-default"]
    elif not field.null:
        yield BY_ID["required-column"]
    yield from of_gains(field, None, setting)


def of_altered_field(operation: Any, setting: Setting) -> Iterator[Rule]:
    """AlterField."""
    old, new = setting.field(operation), operation.field
    if (new.db_column or old.attname) != old.column and (new.db_column or old.db_column):
        yield BY_ID["column-renamed"]
    if not old.is_relation and not new.is_relation and rewrites(old, new):
        yield BY_ID["type-changes"]
    if old.is_relation != new.is_relation:
        yield BY_ID["type-changes"]
    if old.null and not new.null:
        if setting.migration.atomic:
            yield BY_ID["not-null-scans"]
        if new.has_default():
            yield BY_ID["rows-at-once"]  # Django fills the column in one statement
    yield from of_gains(new, old, setting)


def rewrites(old: Any, new: Any) -> bool:
    """Whether the table is written anew for a new type."""
    editor = Stepwise(connection, collect_sql=True)
    types = [str(each.db_type(connection)) for each in (old, new)]
    return not editor._immediate_type_cast(*types) or collation(old) != collation(new)


def collation(field: Any) -> Any:
    return getattr(field, "db_collation", None)


def of_gains(new: Any, old: Any, setting: Setting) -> Iterator[Rule]:
    """Indexes and references that a field did not have before, or not at all."""
    if not setting.migration.atomic:
        return
    if new.primary_key and not (old and old.primary_key):
        yield BY_ID["unique-builds"]
    elif (new.unique or new.db_index) and not (old and (old.unique, old.db_index) == (new.unique, new.db_index)):
        yield BY_ID["index-blocks-writes"]
    if getattr(new, "db_constraint", False) and not getattr(old, "db_constraint", False):
        yield BY_ID["reference-scans"]


def of_index(operation: Any, setting: Setting) -> Iterator[Rule]:
    """AddIndex and RemoveIndex, which a migration of single steps does concurrently."""
    if setting.migration.atomic:
        yield BY_ID["index-blocks-writes" if isinstance(operation, django.AddIndex) else "index-drop-blocks"]


def of_constraint(operation: Any, setting: Setting) -> Iterator[Rule]:
    """AddConstraint, by kind."""
    constraint = operation.constraint
    if isinstance(constraint, RowSecurity | Privileges):
        return
    if isinstance(constraint, ExclusionConstraint):
        yield BY_ID["exclusion-builds"]
    elif not isinstance(constraint, models.CheckConstraint | models.UniqueConstraint | CompositeReference):
        yield UNKNOWN
    elif setting.migration.atomic:
        unique = isinstance(constraint, models.UniqueConstraint)
        yield BY_ID["unique-builds" if unique else "constraint-scans"]


def of_renamed_field(operation: Any, setting: Setting) -> Iterator[Rule]:
    """RenameField, which changes nothing in the database where `db_column` says the name."""
    model = setting.before.models[setting.app, operation.model_name.lower()]
    if not model.fields[operation.old_name].db_column:
        yield BY_ID["column-renamed"]


def of_renamed_model(operation: Any, setting: Setting) -> Iterator[Rule]:
    """RenameModel, likewise with `db_table`."""
    if not setting.before.models[setting.app, operation.old_name.lower()].options.get("db_table"):
        yield BY_ID["table-renamed"]


def of_batches(_operation: Any, setting: Setting) -> Iterator[Rule]:
    """RunInBatches."""
    if setting.migration.atomic:
        yield IN_TRANSACTION


def always(name: str) -> Any:
    """An operation that is never safe on a table in use."""
    return lambda _operation, _setting: iter([BY_ID[name]])


JUDGES: tuple[tuple[Any, Any], ...] = (
    (django.RunSQL, of_sql),
    (django.RunPython, of_python),
    (RunInBatches, of_batches),
    (django.AddField, of_new_field),
    (django.AlterField, of_altered_field),
    (django.RenameField, of_renamed_field),
    (django.RenameModel, of_renamed_model),
    (django.RemoveField, always("column-dropped")),
    (django.DeleteModel, always("table-dropped")),
    (django.AlterModelTable, always("table-renamed")),
    (django.AlterOrderWithRespectTo, always("required-column")),
    ((django.AlterUniqueTogether, django.AlterIndexTogether), lambda *_: iter([TOGETHER])),
    ((django.AddIndex, django.RemoveIndex), of_index),
    (django.AddConstraint, of_constraint),
)
