"""A linter of migrations: it refuses what blocks others or breaks running processes, and names the rule.

Exempt are initial migrations, whose tables are not in use yet, those written before the first release, and operations
on tables that the same migration makes.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.operations import CreateExtension
from django.db import connection, models
from django.db.migrations import operations as django
from django.db.migrations.loader import MigrationLoader
from django.db.models import Value
from django.db.models.functions import Now

from vibe.core.db.backend.schema import Stepwise
from vibe.core.db.migrating.rules import BY_ID, Rule
from vibe.core.db.migrating.sql import broken
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.operations import Assured, DropColumn, ForgetField, RunInBatches

HARMLESS = (
    django.CreateModel, django.AlterModelOptions, django.AlterModelManagers, django.AlterModelTableComment,
    django.RenameIndex, django.RemoveConstraint, CreateExtension, Assured, ForgetField, DropColumn,
)  # fmt: skip
BEFORE_THE_FIRST_RELEASE = frozenset(
    {"accounts.0009_one_time_secrets_wrapped", "stories.0003_corrections_and_deletions"}
)  # complete: no other is added
VERBS = ("bulk_create", "bulk_update", "create", "delete", "get_or_create", "save", "update", "update_or_create")
WRITES = frozenset({*VERBS, *(f"a{verb}" for verb in VERBS)})
IN_TRANSACTION, UNKNOWN = BY_ID["concurrently-in-transaction"], BY_ID["unknown-operation"]


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
    """The context of an operation: its migration, the state before it, and the models and tables that are new."""

    migration: Any
    app: str
    before: Any
    models: frozenset[str]
    tables: frozenset[str]

    def field(self, operation: Any) -> Any:
        """Return the field that an operation alters, as it was."""
        return self.before.apps.get_model(self.app, operation.model_name)._meta.get_field(operation.name)

    def is_fresh(self, operation: Any) -> bool:
        """Return whether the operation is on a model that this migration makes."""
        return str(getattr(operation, "model_name", "")).lower() in self.models


def findings(labels: Iterable[str]) -> Iterator[Finding]:
    """Yield what is refused in the migrations of these apps, in the order they are applied."""
    loader = MigrationLoader(None)
    wanted = set(labels)
    state = loader.project_state([])
    for key in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):  # type: ignore[attr-defined]
        migration = loader.graph.nodes[key]
        if migration.app_label in wanted and not is_exempt(migration):
            yield from findings_of(migration, state)
        state = migration.mutate_state(state, preserve=False)


def is_exempt(migration: Any) -> bool:
    """Return whether its tables cannot be in use when it is applied."""
    return bool(migration.initial) or f"{migration.app_label}.{migration.name}" in BEFORE_THE_FIRST_RELEASE


def findings_of(migration: Any, state: Any) -> Iterator[Finding]:
    """Yield what is refused in one migration, given the state before it."""
    before = state.clone()
    made: list[django.CreateModel] = []
    name = f"{migration.app_label}.{migration.name}"
    for operation in migration.operations:
        if isinstance(operation, django.CreateModel):
            made.append(operation)
        models_made = frozenset(each.name_lower for each in made)
        tables = frozenset(filter(None, (table_of(each, migration.app_label) for each in made)))
        setting = Setting(migration, migration.app_label, before, models_made, tables)
        for each in rules_broken(operation, setting):
            yield Finding(name, operation.describe(), each)
        before = before.clone()
        operation.state_forwards(migration.app_label, before)
    if changes_both(migration.operations):
        yield Finding(name, "the whole", BY_ID["data-and-shape"])


def table_of(operation: django.CreateModel, app: str) -> str | None:
    """Return the table that CreateModel makes, if any."""
    options = operation.options
    if options.get("proxy") or not options.get("managed", True):
        return None
    return str(options.get("db_table") or f"{app}_{operation.name_lower}")


def changes_both(operations: Iterable[Any]) -> bool:
    """Return whether one migration changes both rows and schema."""
    kinds = {isinstance(each, RunInBatches) for each in operations}
    return len(kinds) == 2


def rules_broken(operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rules that one operation breaks."""
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
    """Yield the rules that RunSQL breaks, with or without parameters."""
    given = operation.sql if isinstance(operation.sql, list | tuple) else [operation.sql]
    text = "\n;\n".join(each if isinstance(each, str) else str(each[0]) for each in given)
    yield from of_text(text, setting)


def of_text(text: str, setting: Setting) -> list[Rule]:
    """Return the rules that SQL statements break."""
    return broken(text, fresh=setting.tables, atomic=setting.migration.atomic)


def of_python(operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rules that RunPython breaks. It is refused unless it does nothing; its source only decides the rule.

    The source of the callable and of our functions that it calls by name is searched for writes and for SQL.
    """
    if operation.code is django.RunPython.noop:
        return
    found: set[Rule] = set()
    left, seen = [operation.code], set()
    while left:
        function = inspect.unwrap(left.pop())
        if function in seen:
            continue
        seen.add(function)
        try:
            nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
        except (OSError, TypeError, SyntaxError):
            continue
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        if attributes & WRITES:
            found.add(BY_ID["rows-at-once"])
        named = values_named(function, nodes, attributes)
        for text in (*map(literal, nodes), *(each for each in named if isinstance(each, str))):
            found |= set(of_text(text, setting)) - {UNKNOWN, BY_ID["syntax-error"]}
        left += filter(is_ours, named)
    yield from sorted(found or {UNKNOWN}, key=lambda each: each.id)


def values_named(function: Any, nodes: Iterable[ast.AST], attributes: Iterable[str]) -> list[Any]:
    """Return the values of the names in a function's source: those of its module, and of the modules it names."""
    module = vars(sys.modules[function.__module__])
    values = [module.get(node.id) for node in nodes if isinstance(node, ast.Name)]
    modules = [each for each in values if inspect.ismodule(each)]
    return values + [getattr(each, name, None) for each in modules for name in attributes]


def is_ours(value: Any) -> bool:
    """Return whether a value is a function of this project."""
    if not inspect.isfunction(value):
        return False
    path = Path(inspect.unwrap(value).__code__.co_filename)
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts


def literal(node: ast.AST) -> str:
    """Return the text of a string literal, with a word for each placeholder; empty for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "given" for each in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def of_new_field(operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rules that AddField breaks."""
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
    """Yield the rules that AlterField breaks."""
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
    """Return whether a new type rewrites the table."""
    editor = Stepwise(connection, collect_sql=True)
    types = [str(each.db_type(connection)) for each in (old, new)]
    return not editor._immediate_type_cast(*types) or collation(old) != collation(new)


def collation(field: Any) -> Any:
    return getattr(field, "db_collation", None)


def of_gains(new: Any, old: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rules for indexes and references that a field did not have before."""
    if not setting.migration.atomic:
        return
    if new.primary_key and not (old and old.primary_key):
        yield BY_ID["unique-builds"]
    elif (new.unique or new.db_index) and not (old and (old.unique, old.db_index) == (new.unique, new.db_index)):
        yield BY_ID["index-blocks-writes"]
    if getattr(new, "db_constraint", False) and not getattr(old, "db_constraint", False):
        yield BY_ID["reference-scans"]


def of_index(operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rules that AddIndex and RemoveIndex break. A non-atomic migration runs them concurrently."""
    if setting.migration.atomic:
        yield BY_ID["index-blocks-writes" if isinstance(operation, django.AddIndex) else "index-drop-blocks"]


def of_constraint(operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rules that AddConstraint breaks, by kind."""
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
    """Yield the rule that RenameField breaks, unless `db_column` keeps the name of the column."""
    model = setting.before.models[setting.app, operation.model_name.lower()]
    if not model.fields[operation.old_name].db_column:
        yield BY_ID["column-renamed"]


def of_renamed_model(operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rule that RenameModel breaks, unless `db_table` keeps the name of the table."""
    if not setting.before.models[setting.app, operation.old_name.lower()].options.get("db_table"):
        yield BY_ID["table-renamed"]


def of_batches(_operation: Any, setting: Setting) -> Iterator[Rule]:
    """Yield the rule that RunInBatches breaks in a transaction."""
    if setting.migration.atomic:
        yield IN_TRANSACTION


def always(name: str) -> Any:
    """Return a judge for an operation that is never safe on a table in use."""
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
    ((django.AlterUniqueTogether, django.AlterIndexTogether), always("together")),
    ((django.AddIndex, django.RemoveIndex), of_index),
    (django.AddConstraint, of_constraint),
)
