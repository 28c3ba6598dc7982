"""Records related to a row: how many rows of each table refer to it, and links to their lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.http import HttpRequest

from vibe.core.admin.links import list_url
from vibe.core.admin.paging import WINDOW
from vibe.core.db.schema.owned import UserOwned


@dataclass(frozen=True)
class Related:
    """A link to a list of related records."""

    title: str
    url: str
    count: int | None = None
    needs: str = ""
    """The permission that the list requires; empty if that to see the row is enough."""

    @property
    def counted(self) -> str:
        """Return the count as text, up to the window."""
        if self.count is None:
            return ""
        return f"{self.count:,}" if self.count < WINDOW else f"{WINDOW:,}+"


def related_rows(site: Any, request: HttpRequest, row: models.Model) -> list[Related]:
    """Return each table that refers to this row and that the viewer may see. One statement counts all."""
    parts = list(references(site, request, row))
    return [
        Related(site._registry[model].title_of_list(), list_url(model, **names), count)
        for (model, names, _), count in zip(parts, counts(parts), strict=True)
    ]


Reference = tuple[type[models.Model], dict[str, Any], dict[str, Any]]


def references(site: Any, request: HttpRequest, row: models.Model) -> Iterator[Reference]:
    """Yield (model, filter of its list, columns and values), with the owner so that an index is used."""
    for model, its_admin in site._registry.items():
        if not issubclass(model, UserOwned) or not its_admin.has_view_permission(request):
            continue
        for field in model._meta.local_concrete_fields:
            if field.is_relation and field.related_model is type(row):
                names, columns = {field.name: row.pk}, {field.column: row.pk}
                if field.name != "user":
                    owner = row.user_id  # type: ignore[attr-defined]
                    names, columns = {"user": owner, **names}, {"user_id": owner, **columns}
                yield model, names, columns


def counts(parts: list[Reference]) -> tuple[int, ...]:
    """Count the rows of each reference, up to the window."""
    if not parts:
        return ()
    quote = connection.ops.quote_name
    selects: list[str] = []
    values: list[Any] = []
    for model, _, columns in parts:
        where = " AND ".join(f"{quote(column)} = %s" for column in columns)
        table = quote(model._meta.db_table)
        selects.append(f"(SELECT count(*) FROM (SELECT FROM {table} WHERE {where} LIMIT {WINDOW}) AS found)")  # noqa: S608
        values.extend(columns.values())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(selects)}", values)
        return tuple(cursor.fetchone())
