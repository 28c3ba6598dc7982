"""Conversations in an export, as lines that `import_conversations` reads. A long one takes several.

Pages are bounded in messages and in bytes, whatever the size of the conversations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from accounts.export.sections import Line, Page, Section
from accounts.models import User
from accounts.people.services.people import open_name
from memories.models import UNEXPIRED, Conversation, Memory
from memories.payload import OpenedMemory, local_time, open_memories
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.seal import Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk

TYPE = "vibe.conversation"
CONVERSATIONS_A_PAGE, MESSAGES_A_PAGE, BYTES_A_PAGE = 200, 1_000, 1_000_000
BEFORE_ALL, AFTER_ALL = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
COLUMNS = "id, conversation_id, message_ids, role, payload, occurred_at, expires_at, revision"
# Rows up to the byte limit, at least one. Sizes are computed without reading the payloads.
NEXT = f"""
SELECT {COLUMNS} FROM (
    SELECT page.*, sum(octet_length(payload)) OVER (ORDER BY conversation_id, occurred_at, id) - octet_length(payload)
        AS before FROM (
        SELECT {COLUMNS} FROM encrypted_memories
        WHERE user_id = %b AND (conversation_id, occurred_at, id) > (%b, %b, %b) AND conversation_id <= %b
        AND {UNEXPIRED} AND (%b::int8 IS NULL OR EXISTS (SELECT FROM conversations c
            WHERE c.user_id = %b AND c.id = conversation_id AND c.companion_token = %b))
        ORDER BY conversation_id, occurred_at, id LIMIT %b
    ) AS page
) AS sized WHERE before < %b ORDER BY conversation_id, occurred_at, id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the export: a conversation, and the time and id of its last message read."""

    conversation: UUID = LOWEST
    at: datetime = BEFORE_ALL
    memory: UUID = LOWEST


def count_lines(user_id: UUID, companion: int | None = None) -> int:
    """Return the number of messages and conversations, of all or with one companion."""
    memories, conversations = Memory.objects.of(user_id), Conversation.objects.of(user_id)
    if companion is not None:
        conversations = conversations.with_companion(companion)
        memories = memories.filter(conversation__in=conversations)
    return memories.count() + conversations.count()


def read_lines(user_id: UUID, vault: Vault, after: Place | None, companion: int | None = None) -> Page:
    """Return the next messages as lines of their conversations, including conversations without messages."""
    place = after or Place()
    conversations = next_conversations(user_id, place, companion)
    if not conversations:
        return Page([], 0)
    memories = next_memories(user_id, place, companion, until=conversations[-1].pk)
    if memories:
        conversations = [row for row in conversations if row.pk <= memories[-1].conversation_id]
        following = Place(memories[-1].conversation_id, memories[-1].occurred_at, memories[-1].pk)
    else:
        following = Place(conversations[-1].pk, AFTER_ALL, HIGHEST)
    begun = [row for row in conversations if row.pk > place.conversation]
    return Page(lines(user_id, vault, conversations, memories, place), len(memories) + len(begun), following)


def next_conversations(user_id: UUID, place: Place, companion: int | None) -> list[Conversation]:
    """Return the conversation being read, and the ones after it; those with a companion, if one is given."""
    rows = Conversation.objects.of(user_id)
    if companion is not None:
        rows = rows.with_companion(companion)
    rows = rows.filter(pk__gt=place.conversation) if place.at == AFTER_ALL else rows.filter(pk__gte=place.conversation)
    return list(rows.order_by("pk")[:CONVERSATIONS_A_PAGE])


def next_memories(user_id: UUID, place: Place, companion: int | None, until: UUID) -> list[Memory]:
    """Return the messages after a place, up to the last conversation and the limits of a page."""
    found = bulk.run(
        NEXT,
        [
            *(user_id, place.conversation, place.at, place.memory, until),
            *(companion, user_id, companion, MESSAGES_A_PAGE, BYTES_A_PAGE),
        ],
    )
    return [
        Memory(
            id=row_id,
            user_id=user_id,
            conversation_id=conversation_id,
            message_ids=message_ids,
            role=role,
            payload=Sealed(payload),
            occurred_at=occurred_at,
            expires_at=expires_at,
            revision=revision,
        )
        for row_id, conversation_id, message_ids, role, payload, occurred_at, expires_at, revision in found
    ]


def lines(
    user_id: UUID, vault: Vault, conversations: Iterable[Conversation], memories: list[Memory], place: Place
) -> list[Line]:
    """Return one line per conversation, none for one begun on an earlier page with no messages left."""
    user = user_of(user_id)
    opened = iter(open_memories(memories, vault))
    said = {
        conversation_id: [message(next(opened), row.expires_at) for row in rows]
        for conversation_id, rows in groupby(memories, lambda row: row.conversation_id)
    }
    return [
        {"type": TYPE, "user": user, "conversation": head(row, vault), "messages": said.get(row.pk, [])}
        for row in conversations
        if row.pk in said or row.pk > place.conversation
    ]


def user_of(user_id: UUID) -> dict[str, Any]:
    """Return the owner in the form that the import expects."""
    user = User.objects.only("firebase_uid", "email", "name").get(pk=user_id)
    return {"firebase_uid": user.firebase_uid, "email": user.email, "name": open_name(user) or None}


def head(row: Conversation, vault: Vault) -> dict[str, Any]:
    """Return a conversation without its messages; its id is the external id, if it has one."""
    return {
        "id": row.external_id or str(row.pk),
        "title": row.title and vault.open(row.title, address_of(row, "title")),
        "description": row.description and vault.open(row.description, address_of(row, "description")),
        **({"companion": vault.open(row.companion, address_of(row, "companion"))} if row.companion else {}),
        "started_at": row.started_at.isoformat(),
        "archived": row.is_archived,
    }


def message(memory: OpenedMemory, expires_at: datetime | None) -> dict[str, Any]:
    """Return one memory as a message. Of several ids, the first is its `id`, and all are in `ids`."""
    ids, payload = memory.message_ids or (str(memory.id),), memory.payload
    return {
        "id": ids[0],
        **({"ids": list(ids)} if len(ids) > 1 else {}),
        "author": payload.author,
        "role": memory.role.value,
        "text": payload.text,
        **({"metadata": payload.metadata} if payload.metadata else {}),
        "sent_at": local_time(memory.occurred_at, payload.utc_offset).isoformat(),
        **({"expires_at": expires_at.isoformat()} if expires_at else {}),
    }


CONVERSATIONS = Section("conversations", count_lines, read_lines, keeps_to_companion=True)
