"""Payload of a memory: what is sealed of one message, as a JSON array.

    [author, text]
    [author, text, metadata]
    [author, text, metadata, offset from UTC in minutes]

What is not known at the end is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from memories.metadata import TO_JSON, Metadata
from memories.models import Memory
from memories.roles import Role
from vibe.core.crypto.errors import FormatUnknown
from vibe.core.crypto.vault import Vault

MEMORIES = Memory._meta.db_table
NEEDED: Final = 2  # author and text
UNKNOWN: Final[tuple[Any, ...]] = (None, {})


@dataclass(frozen=True, slots=True)
class Payload:
    """The opened payload of a memory, which its repr hides. The text is empty only where there is metadata."""

    author: str = field(repr=False)
    text: str = field(repr=False)
    metadata: Metadata = field(default_factory=dict, repr=False)
    utc_offset: int | None = field(default=None, repr=False)
    """Minutes east of UTC where it was said; None if that is not known."""

    def encode(self) -> str:
        """Return the text to be sealed."""
        said: list[Any] = [self.author, self.text, self.metadata, self.utc_offset]
        while len(said) > NEEDED and said[-1] in UNKNOWN:
            said.pop()
        return TO_JSON(said)

    @classmethod
    def decode(cls, text: str) -> Payload:
        """Return the payload of an opened text. Raises FormatUnknown for the form of an earlier version."""
        said = json.loads(text)
        if not isinstance(said, list):
            raise FormatUnknown(
                "A memory is in the form of an earlier version. Export with that version, and import the export."
            )
        return cls(*said)


def offset_of(time: datetime) -> int | None:
    """Return the offset from UTC that a time was given with, in minutes; None for a time given in UTC.

    Most programs write every time in UTC, wherever they are (`Z`, `+00:00`): an offset of zero says nothing of where.
    """
    offset = time.utcoffset()
    return int(offset.total_seconds() / 60) or None if offset else None


def local_time(time: datetime, utc_offset: int | None) -> datetime:
    """Return a time at an offset of so many minutes from UTC; in UTC if the offset is not known."""
    return time.astimezone(UTC if utc_offset is None else timezone(timedelta(minutes=utc_offset)))


@dataclass(frozen=True, slots=True)
class OpenedMemory:
    """A memory with its opened payload, which its repr hides."""

    id: UUID
    message_ids: tuple[str, ...]
    occurred_at: datetime
    payload: Payload = field(repr=False)
    role: Role = Role.OTHER


def open_memories(memories: Iterable[Memory], vault: Vault) -> list[OpenedMemory]:
    """Open the payloads of one person's memories, in the order given. Raises a SealError naming the first bad row."""
    rows = list(memories)
    texts = vault.open_all(MEMORIES, "payload", ((row.pk, row.revision, row.payload) for row in rows))
    return [
        OpenedMemory(row.pk, tuple(row.message_ids), row.occurred_at, Payload.decode(text), Role(row.role))
        for row, text in zip(rows, texts, strict=True)
    ]
