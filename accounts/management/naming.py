"""The person whom a command is given."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.core.management.base import CommandError

from accounts.models import User
from accounts.people.names import NameAmbiguous
from accounts.people.services.people import find_person
from vibe.core.db.scopes import as_system
from vibe.core.errors import NotFound

WHO: Final = "uid:FIREBASE-UID, id:ID or email:ADDRESS"


def named_person(who: str) -> UUID:
    """Return the id of the person of a name. Raises CommandError."""
    try:
        return find_person(who)
    except (NameAmbiguous, NotFound) as problem:
        raise CommandError(str(problem)) from None


def named_people(who: str | None, *, to_process: bool = False) -> list[UUID]:
    """Return the named person, or everybody but staff. Raises CommandError.

    `to_process` leaves out those whose processing is restricted.
    """
    people = User.objects.filter(is_staff=False, **({"restricted_at": None} if to_process else {}))
    if who:
        people = people.filter(pk=named_person(who))
    with as_system():
        return list(people.order_by("pk").values_list("pk", flat=True))
