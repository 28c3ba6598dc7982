"""Finding people by what support is told: an email address or its beginning, a Firebase UID, an id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, StartsWith

from accounts.models import User
from accounts.people.services.people import is_uuid


def people_matching(term: str) -> Q:
    """The condition on users. Whole values are looked up in indexes; the beginning of an email likewise."""
    if is_uuid(term):
        return Q(pk=UUID(term)) | Q(firebase_uid=term)
    email = term.lower()
    whole = Q(Exact(Lower("email"), email)) | Q(firebase_uid__startswith=term)
    return whole if is_address(email) else whole | Q(StartsWith(Lower("email"), email))


def is_address(text: str) -> bool:
    """Whether this is an email address already, and not the beginning of one."""
    name, _, host = text.rpartition("@")
    return bool(name) and "." in host.rstrip(".")


def ids_matching(term: str) -> QuerySet[Any]:
    """The ids of the people meant, a hundred at most: whoever means more has not narrowed it down."""
    return User.objects.filter(people_matching(term)).order_by().values("pk")[:100]
