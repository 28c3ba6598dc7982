"""Deleting memories in batches: those of a range of time, or those that have expired. Each batch is one transaction.

The system deletes expired memories, which nobody reads any more (see MemoryQuerySet.of), and those that were stored
more than MEMORY_RETENTION_DAYS ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final
from uuid import UUID

from django.db import DatabaseError

from accounts.companions import companion_token
from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.index import search_index
from memories.models import Conversation, Memory, MemoryQuerySet
from memories.services.changing import update_conversation
from memories.storage import give_back_memories
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import InputError, VibeError

BATCH: Final = 100
"""Memories of one transaction: while it runs, nothing can be added to their conversations."""


class NoRange(InputError):
    message = "Say what is to be forgotten: `since`, `until`, or both."
    code = "range-missing"
    status = 422


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a batch deleted, and whether more may be left of what was to be deleted."""

    ids: list[UUID]
    more: bool


def forget_range(
    *,
    user_id: UUID,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
    conversation_id: UUID | None = None,
    companion: str | None = None,
) -> Forgotten:
    """Delete up to BATCH memories that were said in a range of time, both ends included, the oldest first.

    Raises NoRange without a range.
    """
    if since is None and until is None:
        raise NoRange
    with as_user(user_id):
        rows = Memory.objects.of(user_id)
        if since:
            rows = rows.filter(occurred_at__gte=since)
        if until:
            rows = rows.filter(occurred_at__lte=until)
        if conversation_id:
            rows = rows.filter(conversation_id=conversation_id)
        if companion is not None:
            token = companion_token(open_vault(), companion)
            rows = rows.filter(conversation__in=Conversation.objects.of(user_id).with_companion(token))
        return delete_batch(user_id, rows.order_by("occurred_at", "id"), actor=actor, reason="range")


def delete_batch(user_id: UUID, rows: MemoryQuerySet, *, actor: Actor, reason: str) -> Forgotten:
    """Delete the first of these memories with their search data, inside as_user()."""
    first = list(rows.values_list("pk", "conversation_id")[:BATCH])
    # Conversations are locked before memories, and in order, as everywhere. Until then a memory may be changed.
    wanted = {conversation for _, conversation in first}
    held = Conversation.objects.of(user_id).filter(pk__in=wanted).order_by("pk").select_for_update()
    there = set(held.values_list("pk", flat=True))
    still = rows.order_by("conversation_id", "pk").filter(pk__in=[pk for pk, _ in first], conversation_id__in=there)
    deleted = []
    for conversation_id, batch in groupby(still.values_list("conversation_id", "pk"), itemgetter(0)):
        ids = [pk for _, pk in batch]
        for memory_id in ids:
            search_index().withdraw(user_id, memory_id, deleted=True)
        give_back_memories(user_id, ids)
        count = Memory.objects.filter(user_id=user_id, pk__in=ids)._raw_delete("default")
        update_conversation(Memory(user_id=user_id, conversation_id=conversation_id), fewer=count)
        for pk in ids:  # one row each, by which verify_audit knows a deleted memory that was put back
            details = {"reason": reason}
            record(actor=actor, action="memory.delete", subject=user_id, resource=f"memories/{pk}", details=details)
        deleted += ids
    return Forgotten(deleted, more=len(first) == BATCH)


class ExpiryFailed(VibeError):
    message = "Expired memories of somebody could not be deleted. The next run tries again."
    code = "expiry-failed"


def delete_expired(*, actor: Actor) -> int:
    """Delete the memories that have expired or are past their retention, person by person, and return how many.

    Those of people whose processing is restricted stay. After a failure go on with the other people, then raise
    ExpiryFailed with the person's id.
    """
    with as_system():
        rows = Memory.objects.filter(user__restricted_at=None)
        over = rows.expired(), rows.past_retention()
        people = {one for each in over for one in each.values_list("user_id", flat=True).distinct()}
    deleted, failed = 0, None
    for user_id in sorted(people):
        try:
            while done := _delete_batch(user_id, actor):
                deleted += done
        except DatabaseError:
            failed = user_id
    if failed:
        raise ExpiryFailed(f"Expired memories of person {failed} could not be deleted. The next run tries again.")
    return deleted


def _delete_batch(user_id: UUID, actor: Actor) -> int:
    """Delete some memories of a person that are expired or past their retention, and return how many."""
    rows = Memory.objects.filter(user_id=user_id)
    expired, outdated = rows.expired().order_by("expires_at", "id"), rows.past_retention().order_by("id")
    deleted = 0
    for over, reason in ((expired, "expired"), (outdated, "retention")):
        with as_user(user_id):
            deleted += len(delete_batch(user_id, over, actor=actor, reason=reason).ids)
    return deleted
