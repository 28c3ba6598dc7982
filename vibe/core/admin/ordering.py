"""Orders of a list that need no sorting of the table, and paging from a row instead of an offset."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

PARTED = "~"


def indexed_fields(model: type[models.Model]) -> frozenset[str]:
    """Return the fields that an index over all rows begins with."""
    fields = {field.name for field in model._meta.concrete_fields if field.unique or getattr(field, "db_index", False)}
    for index in model._meta.indexes:
        if index.condition is None and index.fields:
            fields.add(index.fields[0].removeprefix("-"))
    return frozenset(fields - {field.name for field in model._meta.concrete_fields if field.is_relation} | {"pk"})


def position_key(row: models.Model, ordering: tuple[str, ...]) -> str:
    """Return the position of a row in an order, as text for a URL."""
    values = (getattr(row, name.removeprefix("-")) for name in ordering)
    return PARTED.join(value.isoformat() if hasattr(value, "isoformat") else str(value) for value in values)


def rows_after(model: type[models.Model], ordering: tuple[str, ...], key: str) -> Q:
    """Return the condition for rows after a position, which an index finds. Raises IncorrectLookupParameters."""
    parts = key.split(PARTED)
    if len(parts) != len(ordering):
        raise IncorrectLookupParameters("before is no place in this list.")
    found, equal, entry = Q(), Q(), Q()
    for name, text in zip(ordering, parts, strict=True):
        field, downwards = name.removeprefix("-"), name.startswith("-")
        value = parse_value(model._meta.pk if field == "pk" else model._meta.get_field(field), text)
        entry = entry or Q((f"{field}__{'lte' if downwards else 'gte'}", value))  # where the index scan starts
        found |= equal & Q((f"{field}__{'lt' if downwards else 'gt'}", value))
        equal &= Q((field, value))
    return entry & found


def parse_value(field: Any, text: str) -> Any:
    """Parse a value of a URL. Raises IncorrectLookupParameters for what the column cannot hold."""
    try:
        value = field.to_python(text)
        field.run_validators(value)
    except ValidationError:
        raise IncorrectLookupParameters("before is no place in this list.") from None
    return value


class Before(SimpleListFilter):
    """A filter for rows after a given one in the list's own order. It is set by a link, and shown while it is set."""

    title = "place in the list"
    parameter_name = "before"

    def __init__(self, request: Any, params: Any, model: Any, model_admin: Any) -> None:
        self.ordering: tuple[str, ...] = tuple(model_admin.ordering)
        super().__init__(request, params, model, model_admin)

    def lookups(self, *_: Any) -> list[tuple[Any, str]]:
        return [(self.value(), "Older")] if self.value() else []

    def queryset(self, _request: Any, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return (
            queryset.filter(rows_after(queryset.model, self.ordering, self.value() or "")) if self.value() else queryset
        )
