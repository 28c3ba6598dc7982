"""System checks of the database: its data keys open, and nobody who was erased is there again."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from accounts.erasure.services import unfinished_erasures
from accounts.keys.errors import WrongMasterKey
from accounts.keys.master_key import require_fitting_key
from accounts.models import Erasure


@register(Tags.database)
def master_key_fits(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """An error for master keys that open nothing that is stored."""
    if "default" not in (databases or ()):
        return []
    try:
        require_fitting_key()
    except WrongMasterKey as problem:
        return [Error(str(problem), id="accounts.E001")]
    return []


@register(Tags.database)
def erased_people_stay_erased(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """A warning for people whom a restored backup brought back."""
    if "default" not in (databases or ()) or not is_migrated():
        return []
    back = len(unfinished_erasures())
    if not back:
        return []
    return [
        Warning(
            f"{back} erased people are in the database again, as after restoring an older backup.",
            hint="Before serving anybody: python manage.py erase_again",
            id="accounts.W001",
        )
    ]


def is_migrated() -> bool:
    """Whether there is a table of erasures to ask."""
    connection = connections["default"]
    with connection.cursor() as cursor:
        return Erasure._meta.db_table in connection.introspection.table_names(cursor)
