"""Paged reading of a person's opened conversations and memories, inside as_user(). The audit log has the reader.

The rows may come from a replica, the keys never do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from accounts.companions import companion_token
from accounts.keys.services.data_keys import open_vault
from memories.imports.services.conversations import CONVERSATIONS
from memories.models import Conversation, Memory, MemoryQuerySet
from memories.payload import open_memories
from memories.services.adding import KeptMemory
from memories.services.changing import no_such_memory
from memories.services.conversations import SEALED, OpenedConversation, no_such_conversation, open_texts
from vibe.core.crypto.vault import Vault
from vibe.core.db.paging import Page, Position, next_position
from vibe.core.db.scale import replica
from vibe.core.db.schema.owned import get_owned


def conversations_page(
    user_id: UUID,
    *,
    archived: bool | None,
    after: Position | None,
    size: int,
    companion: str | None = None,
    external_id: str | None = None,
) -> Page[OpenedConversation]:
    """Return a page of conversations, the most recently active first; of one companion or external id, if given.

    With None for `archived` it has the active and the archived ones.
    """
    vault = open_vault()
    rows = Conversation.objects.of(user_id)
    rows = {None: rows.newest_first, True: rows.archived, False: rows.active}[archived]()
    if external_id is not None:
        rows = rows.filter(external_id=external_id)
    if companion is not None:
        rows = rows.with_companion(companion_token(vault, companion))
    if after:
        rows = rows.filter(after.older("active_at"))
    found = replica.read(user_id, lambda: list(rows[: size + 1]))
    return Page(open_conversations(found[:size], vault), next_position(found, size, "active_at"))


def open_conversations(rows: Sequence[Conversation], vault: Vault) -> list[OpenedConversation]:
    """Open the texts of conversations, column by column."""
    texts: dict[str, dict[UUID, str]] = {}
    for name in SEALED:
        sealed = [(row.pk, row.revision, getattr(row, name)) for row in rows if getattr(row, name) is not None]
        open_ = vault.open_all(CONVERSATIONS, name, sealed)
        texts[name] = {row_id: text for (row_id, _, _), text in zip(sealed, open_, strict=True)}
    return [OpenedConversation(row, **{name: texts[name].get(row.pk) for name in SEALED}) for row in rows]


def conversation(user_id: UUID, conversation_id: UUID) -> OpenedConversation:
    """Return one conversation, opened. Raises NotFound."""
    row = replica.read(user_id, lambda: conversation_row(user_id, conversation_id))
    texts = open_texts(row, open_vault())
    return OpenedConversation(row, **texts)


def conversation_row(user_id: UUID, conversation_id: UUID) -> Conversation:
    """Return the row of a conversation. Raises NotFound."""
    row = get_owned(Conversation, user_id, conversation_id)
    if row is None:
        raise no_such_conversation()
    return row


def require_companion(user_id: UUID, companion: str, given: Mapping[str, Any]) -> None:
    """Raise NotFound for a conversation or a memory of another companion, by its id in `given`."""
    theirs = Conversation.objects.of(user_id).with_companion(companion_token(open_vault(), companion))
    if (conversation_id := given.get("conversation_id")) and not theirs.filter(pk=conversation_id).exists():
        raise no_such_conversation()
    if memory_id := given.get("memory_id"):
        rows = Memory.objects.of(user_id).filter(pk=memory_id, conversation_id__in=theirs.values("pk"))
        if not rows.exists():
            raise no_such_memory()


def memories_page(
    user_id: UUID, conversation_id: UUID, *, after: Position | None, size: int, newest_first: bool = False
) -> Page[KeptMemory]:
    """Return a page of a conversation's memories, in order. Raises NotFound when there is no such conversation."""
    found = replica.read(user_id, lambda: memory_rows(user_id, conversation_id, after, size + 1, newest_first))
    return Page(open_rows(found[:size]), next_position(found, size, "occurred_at"))


def memory_rows(
    user_id: UUID, conversation_id: UUID, after: Position | None, most: int, newest_first: bool
) -> list[Memory]:
    """Return the rows of a page. Raises NotFound when there is no such conversation."""
    found = list(_in_order(user_id, conversation_id, after, newest_first=newest_first)[:most])
    if not found:
        conversation_row(user_id, conversation_id)
    return found


def _in_order(user_id: UUID, conversation_id: UUID, after: Position | None, *, newest_first: bool) -> MemoryQuerySet:
    """Return the memories of a conversation after a position, in the order they were said or in reverse."""
    rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id)
    if newest_first:
        return (rows.filter(after.older("occurred_at")) if after else rows).order_by("-occurred_at", "-id")
    return (rows.filter(after.newer("occurred_at")) if after else rows).order_by("occurred_at", "id")


def last_memories(user_id: UUID, conversation_id: UUID, *, count: int) -> list[KeptMemory]:
    """Return the last memories of a conversation, in the order they were said. Raises NotFound."""
    found = replica.read(user_id, lambda: memory_rows(user_id, conversation_id, None, count, newest_first=True))
    return open_rows(found[::-1])


def memories_around(user_id: UUID, conversation_id: UUID, memory_id: UUID, *, size: int) -> Page[KeptMemory]:
    """Return a memory of a conversation between as many before as after it, in order. Raises NotFound."""

    def rows() -> tuple[list[Memory], list[Memory]]:
        middle = memory_row(user_id, memory_id)
        if middle.conversation_id != conversation_id:
            raise no_such_memory()
        place = Position(middle.occurred_at, middle.pk)
        before = _in_order(user_id, conversation_id, place, newest_first=True)[: (size - 1) // 2]
        after = _in_order(user_id, conversation_id, place, newest_first=False)[: size // 2 + 1]
        return [*reversed(before), middle], list(after)

    before, after = replica.read(user_id, rows)
    found = [*before, *after]
    shown = len(before) + size // 2
    return Page(open_rows(found[:shown]), next_position(found, shown, "occurred_at"))


def open_rows(rows: Sequence[Memory]) -> list[KeptMemory]:
    """Open the payloads of rows."""
    return [
        KeptMemory(row, memory.payload) for row, memory in zip(rows, open_memories(rows, open_vault()), strict=True)
    ]


def memory(user_id: UUID, memory_id: UUID) -> KeptMemory:
    """Return one memory, opened. Raises NotFound."""
    return open_rows([replica.read(user_id, lambda: memory_row(user_id, memory_id))])[0]


def memory_row(user_id: UUID, memory_id: UUID) -> Memory:
    """Return the row of a memory. Raises NotFound."""
    row = get_owned(Memory, user_id, memory_id)
    if row is None:
        raise no_such_memory()
    return row


def memories(user_id: UUID, ids: Sequence[UUID]) -> list[KeptMemory | None]:
    """Return memories by their ids, opened, in this order; None for what is not there."""
    rows = replica.read(user_id, lambda: list(Memory.objects.of(user_id).filter(pk__in=ids)))
    found = {each.row.pk: each for each in open_rows(rows)}
    return [found.get(each) for each in ids]
