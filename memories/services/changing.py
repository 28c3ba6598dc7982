"""Changing and deleting a memory. Each function is one transaction: check, change, record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import EllipsisType
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from accounts.keys.services.data_keys import data_keys, vault_of
from accounts.people.services.people import name_in, own_name
from audit.actors import Actor
from audit.services import record
from memories.imports.services.conversations import lock_person
from memories.index import PreparedEntries, SaidMemory, search_index
from memories.metadata import Metadata
from memories.models import UNEXPIRED, Memory
from memories.payload import Payload, local_time, offset_of
from memories.roles import Role, role_of
from memories.services.adding import KeptMemory, NewMemory, add_memories, check_content, check_expiry
from memories.storage import give_back_memories, replacing, size_of
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import Versions, require_version
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Rows, current_connection, execute_batch
from vibe.core.errors import NotFound

COLUMNS: Final = tuple(field.attname for field in Memory._meta.concrete_fields)
MEMORY: Final = f"SELECT {', '.join(COLUMNS)} FROM encrypted_memories WHERE user_id = %s AND id = %s AND {UNEXPIRED}"  # noqa: S608
LOCK_CONVERSATION: Final = (
    "SELECT id FROM conversations WHERE user_id = %s "
    "AND id = (SELECT conversation_id FROM encrypted_memories WHERE user_id = %s AND id = %s) FOR UPDATE"
)
COUNT_OUT: Final = (
    "UPDATE conversations SET memory_count = memory_count - %s, active_at = greatest(started_at, ("  # noqa: S608
    f"SELECT occurred_at FROM encrypted_memories WHERE user_id = %s AND conversation_id = %s AND {UNEXPIRED} "
    "ORDER BY occurred_at DESC, id DESC LIMIT 1)), updated_at = %s WHERE user_id = %s AND id = %s"
)


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
    Raises NotFound, Outdated, NothingSaid, ExpiryPast, StorageFull and StorageDayFull.
    """
    with as_user(user_id):
        before, keys = read_memory(MEMORY, user_id, memory_id)
        given = {"author": author, "text": text, "metadata": metadata, "role": role, "occurred_at": occurred_at}
        # Its words and vectors are made before anything is locked, and again if somebody changed it meanwhile.
        change = Change.of(before, given, vault_of(user_id, keys, to_process=True))
        row, keys = lock_memory(user_id, memory_id, expected)
        vault = vault_of(user_id, keys, to_process=True)
        if row.revision != before.revision:
            change = Change.of(row, given, vault)
        if expires_at is not ... and expires_at != row.expires_at:
            check_expiry(expires_at, timezone.now())
            row.expires_at, row.updated_at = expires_at, timezone.now()
            row.save(update_fields=["expires_at", "updated_at"])
            search_index().expires(user_id, memory_id, expires_at)
        if change.entries is not None:
            stood = search_index().withdraw(user_id, memory_id, deleted=False)
            row.role, row.occurred_at = change.role, change.occurred_at.astimezone(UTC)
            row.revision, row.updated_at = row.revision + 1, timezone.now()
            text = change.payload.encode()
            storing = replacing(user_id, before=len(row.payload.ciphertext), after=size_of(text))
            row.payload = vault.seal(text, address_of(row, "payload"))
            row.save(update_fields=["role", "payload", "occurred_at", "revision", "updated_at"])
            update_conversation(row)
            totals, *found = execute_batch(*storing.statements(), *change.entries.reads())
            storing.require_room(totals, is_written=True)
            change.entries.write(vault, {row.pk: row.role}, found, instead_of=stood)
        fields = [name for name, value in given.items() if value is not None]
        fields += ["expires_at"] if expires_at is not ... else []
        _record_change(row, actor, "memory.change", fields=sorted(fields))
    return KeptMemory(row, change.payload)


@dataclass(frozen=True, slots=True)
class Change:
    """What a memory is to become, and its entries in the search index; none where nothing changes."""

    payload: Payload = field(repr=False)
    role: str
    occurred_at: datetime
    entries: PreparedEntries | None

    @classmethod
    def of(cls, row: Memory, given: Mapping[str, Any], vault: Vault) -> Change:
        """Return the change of a row by what is given of it. Raises InputError."""
        before = Payload.decode(vault.open(row.payload, address_of(row, "payload")))
        when = given["occurred_at"]
        payload = Payload(
            before.author if given["author"] is None else given["author"],
            before.text if given["text"] is None else given["text"],
            before.metadata if given["metadata"] is None else given["metadata"],
            offset_of(when) if when else before.utc_offset,
        )
        check_content(payload)
        role, when = given["role"] or _role_after(row, before, payload), when or row.occurred_at
        if (payload.encode(), role, when) == (before.encode(), row.role, row.occurred_at):
            return cls(payload, role, when, None)
        said = SaidMemory(row.pk, row.conversation_id, row.revision + 1, when, row.expires_at, payload, role)
        return cls(payload, role, when, search_index().prepare(row.user_id, [said]))


def put_memory(
    *, user_id: UUID, conversation_id: UUID, message_id: str, new: NewMemory, actor: Actor
) -> tuple[KeptMemory, bool]:
    """Add a memory under a message id, or change the one that is there into it. Return it, and whether it was added.

    Of one that is there, time and role stay where none is given. Raises NotFound, NothingSaid and ExpiryPast.
    """
    with as_user(user_id):
        lock_person(user_id)
        rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id, message_ids__contains=[message_id])
        for memory_id in rows.values_list("pk", flat=True)[:1]:
            payload, at = new.payload, new.occurred_at
            changed = change_memory(
                user_id=user_id,
                memory_id=memory_id,
                actor=actor,
                author=payload.author,
                text=payload.text,
                metadata=payload.metadata,
                role=new.role,
                occurred_at=at and local_time(at, payload.utc_offset),
                expires_at=new.expires_at,
            )
            return changed, False
        named = replace(new, message_id=message_id)
        [kept] = add_memories(user_id=user_id, conversation_id=conversation_id, memories=[named], actor=actor)
    return kept, True


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
        row, _ = lock_memory(user_id, memory_id, expected)
        search_index().withdraw(user_id, memory_id, deleted=True)
        give_back_memories(user_id, [memory_id])
        row.delete()
        update_conversation(row, fewer=1)
        _record_change(row, actor, "memory.delete")


def lock_memory(user_id: UUID, memory_id: UUID, expected: Versions | None) -> tuple[Memory, Rows]:
    """Lock a memory until the transaction ends. Return it, and the rows of the data keys as they are then.

    The conversation is locked first, as when memories are added, to avoid deadlocks. Raises NotFound and Outdated.
    """
    current_connection().hold(LOCK_CONVERSATION, [user_id, user_id, memory_id])
    row, keys = read_memory(f"{MEMORY} FOR UPDATE", user_id, memory_id)
    require_version(row, expected)
    return row, keys


def read_memory(statement: str, user_id: UUID, memory_id: UUID) -> tuple[Memory, Rows]:
    """Return a memory, and the rows of the data keys, in one round trip. Raises NotFound."""
    rows, keys = execute_batch((statement, [user_id, memory_id]), data_keys(user_id))
    for row in bulk.as_models(Memory, COLUMNS, rows):
        return row, keys
    raise no_such_memory()


def no_such_memory() -> NotFound:
    """Return the same error for a missing memory and for somebody else's."""
    return NotFound("There is no such memory.")


def update_conversation(row: Memory, fewer: int = 0) -> None:
    """Update count and activity of the conversation, with the next statement."""
    conversation = [row.user_id, row.conversation_id]
    current_connection().hold(COUNT_OUT, [fewer, *conversation, timezone.now(), *conversation])


def _record_change(row: Memory, actor: Actor, action: str, **details: object) -> None:
    """Record an action on a memory."""
    record(actor=actor, action=action, subject=row.user_id, resource=f"memories/{row.pk}", details=details)
