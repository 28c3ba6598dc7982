"""Tables that PostgreSQL keeps in parts."""

from __future__ import annotations

from typing import Any

from django.db.migrations import CreateModel


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
