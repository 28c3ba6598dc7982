"""Changing and deleting a memory. Each function is one transaction: check, change, record."""

from __future__ import annotations

from datetime import UTC, datetime
from types import EllipsisType
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from accounts.keys.services.data_keys import open_vault
from accounts.people.services.people import name_in, own_name
from audit.actors import Actor
from audit.services import record
from memories.metadata import Metadata
from memories.models import Conversation, Memory
from memories.payload import Payload, offset_of
from memories.roles import Role, role_of
from memories.services.adding import KeptMemory, check_content, check_expiry
from memories.services.conversations import lock_conversation as held_conversation
from memories.signals import conversations_changed
from vibe.core.crypto.fields import address_of
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import execute_batch
from vibe.core.db.versions import Versions, require_version
from vibe.core.errors import NotFound


def change_memory(
    *,
    user_id: UUID,
    memory_id: UUID,
    actor: Actor,
    author: str | None = None,
    text: str | None = None,
    metadata: Metadata | None = None,
    role: Role | None = None,
    occurred_at: datetime | None = None,
    expires_at: datetime | EllipsisType | None = ...,
    expected: Versions | None = None,
) -> KeptMemory:
    """Change a memory. None leaves a value unchanged, except that an expiry of None takes the expiry away.

    Metadata is replaced as a whole, by an empty object too.
    Raises NotFound, Outdated, NothingSaid and ExpiryPast.
    """
    with as_user(user_id):
        row, vault = lock_memory(user_id, memory_id, expected), open_vault()
        before = Payload.decode(vault.open(row.payload, address_of(row, "payload")))
        payload = Payload(
            before.author if author is None else author,
            before.text if text is None else text,
            before.metadata if metadata is None else metadata,
            offset_of(occurred_at) if occurred_at else before.utc_offset,
        )
        check_content(payload)
        after = role or _role_after(row, before, payload), occurred_at or row.occurred_at
        if expires_at is not ... and expires_at != row.expires_at:
            check_expiry(expires_at, timezone.now())
            row.expires_at, row.updated_at = expires_at, timezone.now()
            row.save(update_fields=["expires_at", "updated_at"])
        if (payload.encode(), *after) != (before.encode(), row.role, row.occurred_at):
            row.role, row.occurred_at = after[0], after[1].astimezone(UTC)
            row.revision, row.updated_at = row.revision + 1, timezone.now()
            row.payload = vault.seal(payload.encode(), address_of(row, "payload"))
            row.save(update_fields=["role", "payload", "occurred_at", "revision", "updated_at"])
            update_conversation(row)
        given = {"author": author, "text": text, "metadata": metadata, "role": role, "occurred_at": occurred_at}
        fields = [name for name, value in given.items() if value is not None]
        fields += ["expires_at"] if expires_at is not ... else []
        _record_change(row, actor, "memory.change", fields=sorted(fields))
    return KeptMemory(row, payload)


def _role_after(row: Memory, before: Payload, after: Payload) -> str:
    """Return the role after a change of the author: a derived role changes with them, a given one stays."""
    if before.author == after.author:
        return row.role
    [name] = execute_batch(own_name(row.user_id))
    told = row.role == role_of(before.author, name_in(name))
    return role_of(after.author, name_in(name)) if told else row.role


def delete_memory(*, user_id: UUID, memory_id: UUID, actor: Actor, expected: Versions | None = None) -> None:
    """Delete a memory permanently, with its search data. Raises NotFound and Outdated."""
    with as_user(user_id):
        row = lock_memory(user_id, memory_id, expected)
        row.delete()
        update_conversation(row, fewer=1)
        _record_change(row, actor, "memory.delete")


def lock_memory(user_id: UUID, memory_id: UUID, expected: Versions | None) -> Memory:
    """Lock a memory until the transaction ends, and return it. Raises NotFound and Outdated.

    The conversation is locked first, as when memories are added, to avoid deadlocks.
    """
    rows = Memory.objects.of(user_id).filter(pk=memory_id)
    conversation_id = rows.values_list("conversation_id", flat=True).first()
    if conversation_id is None:
        raise no_such_memory()
    held_conversation(user_id, conversation_id)
    row: Memory | None = rows.select_for_update().first()
    if row is None:
        raise no_such_memory()
    require_version(row, expected)
    return row


def no_such_memory() -> NotFound:
    """Return the same error for a missing memory and for somebody else's."""
    return NotFound("There is no such memory.")


def update_conversation(row: Memory, fewer: int = 0) -> None:
    """Update count and activity of the conversation, and send `conversations_changed`."""
    newest = Memory.objects.of(row.user_id).filter(conversation_id=row.conversation_id).order_by("-occurred_at", "-id")
    latest = newest.values_list("occurred_at", flat=True).first()
    conversation = Conversation.objects.of(row.user_id).filter(pk=row.conversation_id)
    started_at = conversation.values_list("started_at", flat=True).get()
    conversation.update(
        memory_count=F("memory_count") - fewer,
        active_at=max(latest, started_at) if latest else started_at,
        updated_at=timezone.now(),
    )
    conversations_changed.send(Conversation, user_id=row.user_id, conversation_ids=[row.conversation_id])


def _record_change(row: Memory, actor: Actor, action: str, **details: object) -> None:
    """Record an action on a memory."""
    record(actor=actor, action=action, subject=row.user_id, resource=f"memories/{row.pk}", details=details)
