"""Paging for tables of any size: rows are counted up to a window, and beyond it the planner's estimate is shown."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db import connection, models
from django.utils.functional import cached_property

WINDOW = 10_000
ESTIMATE = """
    SELECT root, (
        SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND oid IN (
            SELECT root::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = root::regclass
        )
    ) FROM unnest(%s::text[]) AS root
"""


class WindowPaginator(Paginator[Any]):
    """A paginator that counts up to WINDOW, so that opening a list never reads the whole table.

    Rows beyond it are reached by person, by date or by filter.
    """

    template_name = "vibe/admin/pagination.html"

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        rows: Any = self.object_list
        return int(rows.order_by()[:WINDOW].count())

    @property
    def total(self) -> str:
        """Return the number of rows as text, as exactly as it is known."""
        if self.count < WINDOW:
            return f"{self.count:,}"
        rows: Any = self.object_list
        if rows.query.where:
            return f"more than {WINDOW:,}"
        table = rows.model._meta.db_table
        return f"about {max(estimates([table])[table], WINDOW):,}"


def estimates(tables: list[str]) -> dict[str, int]:
    """Return the planner's estimates of how many rows tables have, partitions included."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, [tables])
        return dict(cursor.fetchall())


def counts(questions: list[models.QuerySet[Any]]) -> list[int]:
    """Count the rows of each query up to the window, in one statement."""
    compiled = [rows.order_by().values("pk")[:WINDOW].query.sql_with_params() for rows in questions]
    selects = ", ".join(f"(SELECT count(*) FROM ({statement}) AS found)" for statement, _ in compiled)  # noqa: S608
    if not compiled:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {selects}", [value for _, values in compiled for value in values])
        return list(cursor.fetchone())
