"""Isolation in the database, declared on the model like any other constraint, so that makemigrations writes it.

- RowSecurity: whose rows each role sees.
- Privileges: which columns each role may read or write.
- CompositeReference: a reference that carries its owner, so that no row points into another person's data.

`constraint_sql` hands its statements to `schema_editor.deferred_sql`: what CreateModel is given in line it would
drop without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django.apps import apps
from django.db.models import BaseConstraint, Model
from django_zero_downtime_migrations.backends.postgres.schema import (
    Condition,
    MultiStatementSQL,
    PGAccessExclusive,
    PGShareUpdateExclusive,
)

from vibe.core.db.backend.schema import TOGETHER
from vibe.core.db.roles import SUPPORT, SYSTEM, USER

Declared = TypeVar("Declared", bound=BaseConstraint)

OWN = "{column} = nullif(current_setting('vibe.{setting}', true), '')::uuid"


class SchemaPolicy(BaseConstraint):
    """A constraint made of statements, those that create it and those that drop it; `parts` names its arguments."""

    parts: tuple[str, ...] = ()

    def create_statements(self, table: str, quote: Any) -> list[str]:
        """Return the statements that create it."""
        raise NotImplementedError

    def drop_statements(self, table: str, quote: Any) -> list[str]:
        """Return the statements that drop it."""
        raise NotImplementedError

    def constraint_sql(self, model: Any, schema_editor: Any) -> None:  # type: ignore[override]
        schema_editor.deferred_sql.extend(self.create_statements(model._meta.db_table, schema_editor.quote_name))

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        return TOGETHER.join(self.create_statements(model._meta.db_table, schema_editor.quote_name))

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        return TOGETHER.join(self.drop_statements(model._meta.db_table, schema_editor.quote_name))

    def validate(self, *_: Any, **__: Any) -> None:
        """Do nothing: the database checks it."""

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, tuple(args), {**kwargs, **{part: getattr(self, part) for part in self.parts}}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.deconstruct() == other.deconstruct()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.name))


class RowSecurity(SchemaPolicy):
    """Forced row-level security: `vibe_user` sees the rows whose `owner` column is the person of its scope.

    `others` are the further roles, as (role, condition) pairs: by default `vibe_support` and `vibe_system`, which pass
    every row and are held by their column privileges. Each role has a policy alone, never an OR inside one.
    """

    parts = ("owner", "others")

    def __init__(
        self,
        *,
        name: str,
        owner: str = "user_id",
        others: Sequence[tuple[str, str]] = ((SUPPORT, "true"), (SYSTEM, "true")),
    ) -> None:
        super().__init__(name=name)
        self.owner = owner
        self.others = tuple((role, condition) for role, condition in others)

    def create_statements(self, table: str, quote: Any) -> list[str]:
        return [
            f"ALTER TABLE {quote(table)} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {quote(table)} FORCE ROW LEVEL SECURITY",
            *self.policies(table, quote).values(),
        ]

    def drop_statements(self, table: str, quote: Any) -> list[str]:
        return [
            *(
                f"DROP POLICY IF EXISTS {quote(self.policy(role))} ON {quote(table)}"
                for role in (USER, *(role for role, _ in self.others))
            ),
            f"ALTER TABLE {quote(table)} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {quote(table)} DISABLE ROW LEVEL SECURITY",
        ]

    def policies(self, table: str, quote: Any) -> dict[str, str]:
        """Return the statement that creates each policy, by the policy's name."""
        own = OWN.format(column=quote(self.owner), setting="user_id")
        return {
            self.policy(role): f"CREATE POLICY {quote(self.policy(role))} ON {quote(table)} TO {role} "
            f"USING ({condition}) WITH CHECK ({condition})"
            for role, condition in ((USER, own), *self.others)
        }

    def policy(self, role: str) -> str:
        return f"{self.name}_{role}"


class Privileges(SchemaPolicy):
    """What one role may do with a table. `verbs` maps a verb to column names, or to None for the whole row."""

    parts = ("role", "verbs")

    def __init__(self, *, name: str, role: str, verbs: Any) -> None:
        super().__init__(name=name)
        self.role = role
        self.verbs = tuple((verb, None if columns is None else tuple(columns)) for verb, columns in pairs(verbs))

    def create_statements(self, table: str, quote: Any) -> list[str]:
        return [
            f"GRANT {self._verb(verb, columns, quote)} ON {quote(table)} TO {self.role}" for verb, columns in self.verbs
        ]

    def drop_statements(self, table: str, quote: Any) -> list[str]:
        return [f"REVOKE ALL ON {quote(table)} FROM {self.role}"]

    @staticmethod
    def _verb(verb: str, columns: tuple[str, ...] | None, quote: Any) -> str:
        return verb if columns is None else f"{verb} ({', '.join(quote(column) for column in columns)})"


class CompositeReference(SchemaPolicy):
    """A foreign key over (owner, reference): `(user_id, conversation_id) -> conversations (user_id, id)`.

    Deleting the target deletes the row, by the database itself.
    """

    parts = ("columns", "to", "to_columns")

    def __init__(
        self, *, name: str, columns: Sequence[str], to: str, to_columns: Sequence[str] = ("user_id", "id")
    ) -> None:
        super().__init__(name=name)
        self.columns = tuple(columns)
        self.to = to
        self.to_columns = tuple(to_columns)

    def create_statements(self, table: str, quote: Any) -> list[str]:
        target = apps.get_model(self.to)._meta.db_table
        return [
            f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(self.name)} "
            f"FOREIGN KEY ({', '.join(map(quote, self.columns))}) "
            f"REFERENCES {quote(target)} ({', '.join(map(quote, self.to_columns))}) ON DELETE CASCADE"
        ]

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """Add it to a table in use: for new rows first, then check the old ones without blocking."""
        if not getattr(schema_editor, "stepwise", False):
            return super().create_sql(model, schema_editor)
        quote = schema_editor.quote_name
        table, name = quote(model._meta.db_table), quote(self.name)
        (added,) = self.create_statements(model._meta.db_table, quote)
        there = Condition(schema_editor._sql_constraint_exists % {"table": table, "name": name}, exists=False)
        return MultiStatementSQL(
            PGAccessExclusive(f"{added} NOT VALID", idempotent_condition=there),
            PGShareUpdateExclusive(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
        )

    def drop_statements(self, table: str, quote: Any) -> list[str]:
        return [f"ALTER TABLE {quote(table)} DROP CONSTRAINT IF EXISTS {quote(self.name)}"]


def declared(kind: type[Declared]) -> Iterator[tuple[type[Model], Declared]]:
    """The constraints of one kind, of every model."""
    for model in apps.get_models():
        yield from ((model, wall) for wall in model._meta.constraints if isinstance(wall, kind))


def pairs(verbs: Any) -> Any:
    """Return (verb, columns) pairs of a mapping or, in a migration, of pairs."""
    return verbs.items() if isinstance(verbs, dict) else verbs
