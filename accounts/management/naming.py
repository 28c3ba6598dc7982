"""The person whom a command is given."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.core.management.base import CommandError

from accounts.people.names import NameAmbiguous
from accounts.people.services.people import find_person
from vibe.core.errors import NotFound

WHO: Final = "uid:FIREBASE-UID, id:ID or email:ADDRESS"


def named_person(who: str) -> UUID:
    """Return the id of the person of a name. Raises CommandError."""
    try:
        return find_person(who)
    except (NameAmbiguous, NotFound) as problem:
        raise CommandError(str(problem)) from None
