"""Removal of a column while processes that know it still run: forget it first, drop it in a later release."""

from __future__ import annotations

from typing import Any

from django.db.migrations import RemoveField
from django.db.migrations.operations.base import Operation


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
