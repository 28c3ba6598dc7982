"""Read one row of a person by its id past the query compiler, which takes longer than PostgreSQL."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.statements import bulk

Row = TypeVar("Row", bound=UserOwned)


def get_owned(model: type[Row], user_id: UUID, row_id: UUID, *, without: tuple[str, ...] = ()) -> Row | None:
    """Return `model.objects.of(user_id).filter(pk=row_id).defer(*without).first()`."""
    statement, names, converted = select_statement(model, without)
    for found in bulk.run(statement, [user_id, row_id]):
        values = list(found)
        for place, field in converted:
            values[place] = field.from_db_value(values[place], None, connection)
        return model.from_db(connection.alias, names, values)
    return None


@cache
def select_statement(model: type[UserOwned], without: tuple[str, ...]) -> tuple[str, list[str], list[tuple[int, Any]]]:
    """Return the statement, the attributes it fills, and which of them their fields convert.

    The statement is the queryset's own, so that what that leaves out is left out here.
    """
    owner, row = UUID(int=1), UUID(int=2)
    rows = model.objects.of(owner).filter(pk=row).defer(*without)
    statement, given = rows.query.sql_with_params()
    if given != (owner, row):
        raise TypeError(f"The rows of {model._meta.label} are selected by more than owner and id: {len(given)} values.")
    fields: list[Any] = [field for field in model._meta.concrete_fields if field.attname not in without]
    converted = [(place, field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return statement.replace("%s", "%b"), [field.attname for field in fields], converted
