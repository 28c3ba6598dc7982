"""Payload of a memory: one message as JSON, `{"author": ..., "text": ...}`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from memories.models import Memory
from vibe.core.crypto.vault import Vault

MEMORIES = Memory._meta.db_table
# json.dumps with an argument creates an encoder each time, which takes longer than encoding.
TO_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Payload:
    """The opened payload of a memory, which its repr hides."""

    author: str = field(repr=False)
    text: str = field(repr=False)

    def encode(self) -> str:
        """Return the text to be sealed."""
        return TO_JSON({"author": self.author, "text": self.text})

    @classmethod
    def decode(cls, text: str) -> Payload:
        """Return the payload of an opened text."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class OpenedMemory:
    """A memory with its opened payload, which its repr hides."""

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
