"""What is inside a memory: one message as JSON, `{"author": ..., "text": ...}`, and opening it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from memories.models import Memory
from vibe.core.crypto.vault import Vault

MEMORIES = Memory._meta.db_table
# json.dumps with an argument makes an encoder each time, which takes longer than encoding.
TO_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Payload:
    """An opened memory. It does not print."""

    author: str = field(repr=False)
    text: str = field(repr=False)

    def encode(self) -> str:
        """The text that is sealed."""
        return TO_JSON({"author": self.author, "text": self.text})

    @classmethod
    def decode(cls, text: str) -> Payload:
        """What was sealed."""
        return cls(**json.loads(text))


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
