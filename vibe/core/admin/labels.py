"""Columns shown as coloured labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

Column = Callable[[Any, Any], str]


def label_column(description: str, colors: dict[str, str]) -> Callable[[Column], Column]:
    """Show each value of a column in a colour of unfold: info, success, warning, danger."""

    def mark(column: Column) -> Column:
        @wraps(column)
        def labelled(its_admin: Any, row: Any) -> str:
            value = column(its_admin, row)
            return _label(value, colors.get(value, "")) if value else "-"

        return admin.display(description=description)(labelled)

    return mark


@lru_cache(maxsize=256)
def _label(text: str, color: str) -> SafeString:
    """Draw a label once: a list has few different ones, in each of its rows."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": color})
