"""The columns that a role may read, taken from the model's Privileges so that nothing lists them twice."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import models

from vibe.core.db.roles import SUPPORT
from vibe.core.db.schema.constraints import Privileges


def readable_fields(model: type[models.Model], role: str = SUPPORT) -> tuple[str, ...]:
    """Return the names of the fields whose columns a role may SELECT. Raises ImproperlyConfigured if there are none."""
    granted = [
        columns
        for wall in model._meta.constraints
        if isinstance(wall, Privileges) and wall.role == role
        for verb, columns in wall.verbs
        if verb == "SELECT"
    ]
    if not granted:
        raise ImproperlyConfigured(f"{model._meta.label} gives {role} no SELECT. Add Privileges to Meta.constraints.")
    fields = model._meta.concrete_fields
    if None in granted:
        return tuple(field.name for field in fields)
    columns = {column for part in granted for column in part or ()}
    return tuple(field.name for field in fields if field.column in columns)


def readable_rows(rows: models.QuerySet[Any], *, also: tuple[str, ...] = ()) -> models.QuerySet[Any]:
    """Return the same rows, loading only what support may read; `also` names columns of joined rows."""
    return rows.only(*readable_fields(rows.model), *also)
