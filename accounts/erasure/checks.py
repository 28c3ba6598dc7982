"""System checks of the database: the data keys open, and no erased person has been restored."""

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
    """Report an error for master keys that open none of the stored data keys."""
    if "default" not in (databases or ()):
        return []
    try:
        require_fitting_key()
    except WrongMasterKey as problem:
        return [Error(str(problem), id="accounts.E001")]
    return []


@register(Tags.database)
def erased_people_stay_erased(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Report a warning for erased people whom a restored backup brought back."""
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
    """Return whether the table of erasures exists."""
    connection = connections["default"]
    with connection.cursor() as cursor:
        return Erasure._meta.db_table in connection.introspection.table_names(cursor)
