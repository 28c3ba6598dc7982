"""Deletion of expired memories by the system. Nobody reads them any more: see MemoryQuerySet.of."""

from __future__ import annotations

from uuid import UUID

from django.db import DatabaseError
from django.db.models.functions import Now

from audit.actors import Actor
from memories.models import Memory
from memories.services.forgetting import delete_batch
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import VibeError


class ExpiryFailed(VibeError):
    message = "Expired memories of somebody could not be deleted. The next run tries again."
    code = "expiry-failed"


def delete_expired(*, actor: Actor) -> int:
    """Delete every expired memory, person by person, but of people whose processing is restricted. Return how many.

    After a failure go on with the other people, then raise ExpiryFailed with the person's id.
    """
    with as_system():
        expired = Memory.objects.filter(expires_at__lte=Now(), user__restricted_at=None)
        people = list(expired.values_list("user_id", flat=True).distinct())
    deleted, failed = 0, None
    for user_id in people:
        try:
            while done := _delete_batch(user_id, actor):
                deleted += done
        except DatabaseError:
            failed = user_id
    if failed:
        raise ExpiryFailed(f"Expired memories of person {failed} could not be deleted. The next run tries again.")
    return deleted


def _delete_batch(user_id: UUID, actor: Actor) -> int:
    """Delete some expired memories of a person, and return how many."""
    with as_user(user_id):
        expired = Memory.objects.expired_of(user_id).order_by("expires_at", "id")
        return len(delete_batch(user_id, expired, actor=actor, reason="expired").ids)
