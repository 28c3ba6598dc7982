"""Filters of the admin's lists."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models

from vibe.core.admin.links import short_id


class ValueFilter(SimpleListFilter):
    """A filter by one value of a column. It is set by a link, and shown while it is set, so that it can be removed."""

    column: str
    parameter_name: str
    is_id = False

    def lookups(self, *_: Any) -> list[tuple[Any, str]]:
        value = self.value()
        return [(value, short_id(UUID(value)) if self.is_id and is_uuid(value) else value)] if value else []

    def queryset(self, _request: Any, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if self.is_id and not is_uuid(value):
            raise IncorrectLookupParameters(f"{self.parameter_name} is not an id.")
        return queryset.filter(**{self.column: value})


def value_filter(model: type[models.Model], name: str) -> type[ValueFilter]:
    """Return a filter `?name=value` on a column of a model."""
    field: Any = model._meta.get_field(name)
    is_id = isinstance(field, models.UUIDField) or bool(field.is_relation)
    return type(
        f"{name.title()}Filter",
        (ValueFilter,),
        {"title": field.verbose_name, "parameter_name": name, "column": field.attname, "is_id": is_id},
    )


def is_uuid(text: str | None) -> bool:
    """Return whether a text is a UUID."""
    try:
        UUID(text or "")
    except ValueError:
        return False
    return True
