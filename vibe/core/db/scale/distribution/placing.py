"""The placement of tables: on shards, on every node, or unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from vibe.core.db.schema.constraints import CompositeReference
from vibe.core.db.schema.owned import UserOwned

TABLES = """
SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
AND NOT relispartition AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY relname
"""
DJANGO = "django_migrations"  # the one table of Django that has no model


def distributed() -> list[type[UserOwned]]:
    """Return the models of people's rows, those that others refer to first."""
    owned = {model._meta.label: model for model in apps.get_models() if issubclass(model, UserOwned)}
    order: TopologicalSorter[str] = TopologicalSorter()
    for label, model in sorted(owned.items()):
        order.add(label, *sorted({wall.to for wall in references(model)} & owned.keys() - {label}))
    return [owned[label] for label in order.static_order()]


def on_every_node() -> str:
    """Return the table of accounts, which every person's rows refer to."""
    return get_user_model()._meta.db_table


def unknown(cursor: Any) -> list[str]:
    """Return tables of the schema that belong to no model: whose rows they hold is unknown."""
    known = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {DJANGO}
    cursor.execute(TABLES)
    return [name for (name,) in cursor.fetchall() if name not in known]


def references(model: type[models.Model]) -> Iterator[CompositeReference]:
    """Yield the references of a table."""
    yield from (wall for wall in model._meta.constraints if isinstance(wall, CompositeReference))
