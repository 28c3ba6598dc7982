"""Deletion of expired memories by the system. Nobody reads them any more: see MemoryQuerySet.of."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final
from uuid import UUID

from django.db import DatabaseError
from django.db.models.functions import Now

from audit.actors import Actor
from audit.services import record
from memories.index import search_index
from memories.models import Conversation, Memory
from memories.services.changing import update_conversation
from memories.storage import give_back_memories
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import VibeError

BATCH: Final = 100
"""Memories of one transaction: while it runs, nothing can be added to their conversations."""


class ExpiryFailed(VibeError):
    message = "Expired memories of somebody could not be deleted. The next run tries again."
    code = "expiry-failed"


def delete_expired(*, actor: Actor) -> int:
    """Delete every expired memory, person by person. Return how many.

    After a failure go on with the other people, then raise ExpiryFailed with the person's id.
    """
    with as_system():
        people = list(Memory.objects.filter(expires_at__lte=Now()).values_list("user_id", flat=True).distinct())
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
    """Delete some expired memories of a person with their search data, and return how many."""
    with as_user(user_id):
        expired = Memory.objects.expired_of(user_id).order_by("expires_at", "id")[:BATCH]
        found = sorted((conversation, pk) for pk, conversation in expired.values_list("pk", "conversation_id"))
        # Conversations are locked before memories, and in order, as everywhere.
        wanted = {conversation for conversation, _ in found}
        held = Conversation.objects.of(user_id).filter(pk__in=wanted).order_by("pk").select_for_update()
        there = set(held.values_list("pk", flat=True))
        for conversation_id, rows in groupby(found, itemgetter(0)):
            if conversation_id not in there:
                continue
            ids = [pk for _, pk in rows]
            for memory_id in ids:
                search_index().withdraw(user_id, memory_id, deleted=True)
            give_back_memories(user_id, ids)
            count = Memory.objects.expired_of(user_id).filter(pk__in=ids)._raw_delete("default")
            update_conversation(Memory(user_id=user_id, conversation_id=conversation_id), fewer=count)
            for pk in ids:  # one row each, by which verify_audit knows a deleted memory that was put back
                details = {"reason": "expired"}
                record(actor=actor, action="memory.delete", subject=user_id, resource=f"memories/{pk}", details=details)
    return len(found)
