"""Adding to a conversation: one memory or a batch, all of it or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from accounts.keys.services.data_keys import data_keys, vault_of
from audit.actors import Actor
from audit.services import record
from memories.imports.services.conversations import MEMORIES, lock_person
from memories.models import Conversation, Memory
from memories.payload import Payload
from memories.services.conversations import no_such_conversation
from memories.signals import conversations_changed
from vibe.core.crypto.sealed import Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch
from vibe.core.errors import Conflict, InputError

LARGEST_BATCH: Final = 1_000
COUNT: Final = (
    "UPDATE conversations SET memory_count = memory_count + %s, updated_at = %s, active_at = greatest(active_at, %s) "
    "WHERE user_id = %s AND id = %s RETURNING id"
)


class MessageIdTaken(Conflict):
    message = (
        "The conversation has a memory of that message id already, or the batch names one twice. Nothing was added."
    )
    code = "message-id-taken"


@dataclass(frozen=True, slots=True)
class NewMemory:
    """What is to be kept. Without a message id of the caller's, the memory's own id stands for it."""

    payload: Payload = field(repr=False)
    occurred_at: datetime | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class KeptMemory:
    """A memory and what it says. It does not print."""

    row: Memory
    payload: Payload = field(repr=False)


def add_memories(
    *, user_id: UUID, conversation_id: UUID, memories: Sequence[NewMemory], actor: Actor
) -> list[KeptMemory]:
    """Add memories to a conversation, in the order given. Raises NotFound, MessageIdTaken and InputError."""
    if not 1 <= len(memories) <= LARGEST_BATCH:
        raise InputError(f"A batch has 1 to {LARGEST_BATCH:,} memories.")
    with as_user(user_id):
        named = [each.message_id for each in memories if each.message_id]
        if named:
            lock_person(user_id)  # an import looks for message ids first and adds then, too
        kept = [new_row(user_id, conversation_id, each) for each in memories]
        vault = touch_conversation(user_id, conversation_id, kept)
        refuse_taken(user_id, conversation_id, named)
        insert_memories(user_id, kept, vault)
        conversations_changed.send(Conversation, user_id=user_id, conversation_ids=[conversation_id], only_added=True)
        record(
            actor=actor,
            action="memories.add",
            subject=user_id,
            resource=f"conversations/{conversation_id}",
            details={"count": len(kept)},
            last=True,
        )
    return kept


def new_row(user_id: UUID, conversation_id: UUID, new: NewMemory) -> KeptMemory:
    """A row for it, not stored yet."""
    now, row_id = timezone.now(), uuid7()
    row = Memory(
        id=row_id,
        user_id=user_id,
        conversation_id=conversation_id,
        message_ids=[new.message_id or str(row_id)],
        occurred_at=new.occurred_at or now,
        revision=1,
        created_at=now,
        updated_at=now,
    )
    return KeptMemory(row, new.payload)


def touch_conversation(user_id: UUID, conversation_id: UUID, kept: Sequence[KeptMemory]) -> Vault:
    """Keep count and time of last activity; the conversation is then held. The keys come with it.

    Raises NotFound and DataKeyMissing.
    """
    active = max(each.row.occurred_at for each in kept)
    counting = COUNT, [len(kept), timezone.now(), active, user_id, conversation_id]
    there, keys = execute_batch(counting, data_keys(user_id))
    if not there:
        raise no_such_conversation()
    return vault_of(user_id, keys)


def refuse_taken(user_id: UUID, conversation_id: UUID, named: list[str]) -> None:
    """Raises MessageIdTaken."""
    if not named:
        return
    if len(set(named)) < len(named):
        raise MessageIdTaken
    rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id, message_ids__overlap=named)
    if rows.exists():
        raise MessageIdTaken


def insert_memories(user_id: UUID, kept: Sequence[KeptMemory], vault: Vault) -> None:
    """Seal and insert, in one statement; a memory by itself goes with the next one."""
    rows = [each.row for each in kept]
    sealed: list[Sealed] = vault.seal_all(
        MEMORIES, "payload", ((each.row.pk, 1, each.payload.encode()) for each in kept)
    )
    bulk.insert(
        MEMORIES,
        {
            "id": ("uuid", [row.pk for row in rows]),
            "message_ids": ("text[]", [row.message_ids[0] for row in rows]),
            "payload": ("bytea", [value.ciphertext for value in sealed]),
            "occurred_at": ("timestamptz", [row.occurred_at for row in rows]),
            "created_at": ("timestamptz", [row.created_at for row in rows]),
            "updated_at": ("timestamptz", [row.updated_at for row in rows]),
        },
        same={
            "user_id": ("uuid", user_id),
            "conversation_id": ("uuid", rows[0].conversation_id),
            "revision": ("int4", 1),
        },
        later=True,
    )
