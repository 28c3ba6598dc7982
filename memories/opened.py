"""Memories, opened: what they say, in the order they were asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from memories.models import Memory
from memories.payload import Payload
from vibe.core.crypto.vault import Vault

MEMORIES = Memory._meta.db_table


@dataclass(frozen=True, slots=True)
class OpenedMemory:
    """A memory and what it says. It does not print."""

    id: UUID
    message_ids: tuple[str, ...]
    occurred_at: datetime
    payload: Payload = field(repr=False)


def open_memories(memories: Iterable[Memory], vault: Vault) -> list[OpenedMemory]:
    """Open the payloads of one person's memories, in the order given. Raises a SealError naming the first bad row."""
    rows = list(memories)
    texts = vault.open_all(MEMORIES, "payload", ((row.pk, row.revision, row.payload) for row in rows))
    return [
        OpenedMemory(row.pk, tuple(row.message_ids), row.occurred_at, Payload.decode(text))
        for row, text in zip(rows, texts, strict=True)
    ]
