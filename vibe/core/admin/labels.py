"""Columns shown as coloured labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import admin

Column = TypeVar("Column", bound=Callable[..., Any])


def label_column(description: str, colors: dict[str, str]) -> Callable[[Column], Column]:
    """Show each value of a column in a colour of unfold: info, success, warning, danger."""

    def mark(column: Column) -> Column:
        column.label = colors  # type: ignore[attr-defined]
        return admin.display(description=description)(column)

    return mark
