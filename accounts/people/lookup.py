"""Lookup of people for support: by email address or its beginning, Firebase UID, or id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, StartsWith

from accounts.models import User
from accounts.people.names import is_uuid


def people_matching(term: str) -> Q:
    """Return the condition on users. Indexes serve whole values and the beginning of an email."""
    if is_uuid(term):
        return Q(pk=UUID(term)) | Q(firebase_uid=term)
    email = term.lower()
    whole = Q(Exact(Lower("email"), email)) | Q(firebase_uid__startswith=term)
    return whole if is_address(email) else whole | Q(StartsWith(Lower("email"), email))


def is_address(text: str) -> bool:
    """Return whether a text is a complete email address, and not the beginning of one."""
    name, _, host = text.rpartition("@")
    return bool(name) and "." in host.rstrip(".")


def ids_matching(term: str) -> QuerySet[Any]:
    """Return the ids of matching people, a hundred at most: a term that matches more is too broad."""
    return User.objects.filter(people_matching(term)).order_by().values("pk")[:100]
