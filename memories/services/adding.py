"""Adding memories to a conversation, one or a batch, all or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from accounts.keys.services.data_keys import data_keys, vault_of
from accounts.people.services.people import name_in, own_name
from audit.actors import Actor
from audit.services import record
from memories.imports.services.conversations import MEMORIES, lock_person
from memories.index import SaidMemory, search_index
from memories.models import Memory
from memories.payload import Payload
from memories.roles import Role, role_of
from memories.services.conversations import no_such_conversation
from memories.storage import adding, size_of
from vibe.core.crypto.seal import Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Rows, Statement, execute_batch
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


class NothingSaid(InputError):
    message = "A memory needs a text, or metadata where there is no text, such as of a picture."
    code = "nothing-said"
    status = 422


class ExpiryPast(InputError):
    message = "`expires_at` is past. Give a later time, or delete the memory if it is to go now."
    code = "expiry-past"
    status = 422


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory to be added. Without a message id, the memory's own id is used; without a role, that of its author."""

    payload: Payload = field(repr=False)
    occurred_at: datetime | None = None
    message_id: str | None = None
    role: Role | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptMemory:
    """A memory with its opened payload, which its repr hides."""

    row: Memory
    payload: Payload = field(repr=False)


def add_memories(
    *, user_id: UUID, conversation_id: UUID, memories: Sequence[NewMemory], actor: Actor
) -> list[KeptMemory]:
    """Add memories to a conversation, in the order given.

    Raises NotFound, MessageIdTaken, NothingSaid, ExpiryPast, StorageFull, StorageDayFull and InputError.
    """
    if not 1 <= len(memories) <= LARGEST_BATCH:
        raise InputError(f"A batch has 1 to {LARGEST_BATCH:,} memories.")
    with as_user(user_id):
        named = [each.message_id for each in memories if each.message_id]
        kept = [new_row(user_id, conversation_id, each) for each in memories]
        entries = search_index().prepare(user_id, [SaidMemory.of(each.row, each.payload) for each in kept])
        if named:
            lock_person(user_id)  # an import also looks for message ids before it adds
        vault, name, found = touch_conversation(user_id, conversation_id, kept, entries.reads())
        for each in kept:
            each.row.role = each.row.role or role_of(each.payload.author, name)
        refuse_taken(user_id, conversation_id, named)
        insert_memories(user_id, kept, vault)
        entries.write(vault, {each.row.pk: each.row.role for each in kept}, found)
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
    """Return an unsaved row for a new memory, its role empty if none is given. Raises NothingSaid and ExpiryPast."""
    now, row_id = timezone.now(), uuid7()
    check_content(new.payload)
    check_expiry(new.expires_at, now)
    row = Memory(
        id=row_id,
        user_id=user_id,
        conversation_id=conversation_id,
        message_ids=[new.message_id or str(row_id)],
        role=new.role or "",
        occurred_at=new.occurred_at or now,
        expires_at=new.expires_at,
        revision=1,
        created_at=now,
        updated_at=now,
    )
    return KeptMemory(row, new.payload)


def check_content(payload: Payload) -> None:
    """Raise NothingSaid for a memory without a text, and without metadata in its place."""
    if not payload.text and not payload.metadata:
        raise NothingSaid


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Raise ExpiryPast for an expiry that is not to come."""
    if expires_at and expires_at <= now:
        raise ExpiryPast


def touch_conversation(
    user_id: UUID, conversation_id: UUID, kept: Sequence[KeptMemory], reads: Sequence[Statement]
) -> tuple[Vault, str, list[Rows]]:
    """Update count and last activity, which locks the conversation. Return the vault, the person's name, and what
    `reads` found.

    All is one batch, which also counts what is stored. The name is empty where every role is given.
    Raises NotFound, DataKeyMissing, StorageFull and StorageDayFull.
    """
    storing = adding(user_id, memories=len(kept), size=size_of(*(each.payload.encode() for each in kept)))
    active = max(each.row.occurred_at for each in kept)
    counting = COUNT, [len(kept), timezone.now(), active, user_id, conversation_id]
    naming = [own_name(user_id)] if not all(each.row.role for each in kept) else []
    there, keys, totals, *found = execute_batch(counting, data_keys(user_id), *storing.statements(), *naming, *reads)
    if not there:
        raise no_such_conversation()
    storing.require_room(totals)
    name = name_in(found.pop(0)) if naming else ""
    return vault_of(user_id, keys, to_process=True), name, found


def refuse_taken(user_id: UUID, conversation_id: UUID, named: list[str]) -> None:
    """Raise MessageIdTaken if a message id exists already or is repeated."""
    if not named:
        return
    if len(set(named)) < len(named):
        raise MessageIdTaken
    rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id, message_ids__overlap=named)
    for there in rows.values_list("pk", flat=True)[:1]:
        raise MessageIdTaken(existing=there)


def insert_memories(user_id: UUID, kept: Sequence[KeptMemory], vault: Vault) -> None:
    """Seal the memories and insert them in one statement; a few are sent with the next statement."""
    rows = [each.row for each in kept]
    sealed: list[Sealed] = vault.seal_all(
        MEMORIES, "payload", ((each.row.pk, 1, each.payload.encode()) for each in kept)
    )
    bulk.insert(
        MEMORIES,
        {
            "id": ("uuid", [row.pk for row in rows]),
            "message_ids": ("text[]", [row.message_ids[0] for row in rows]),
            "role": ("text", [row.role for row in rows]),
            "payload": ("bytea", [value.ciphertext for value in sealed]),
            "occurred_at": ("timestamptz", [row.occurred_at for row in rows]),
            "expires_at": ("timestamptz", [row.expires_at for row in rows]),
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
