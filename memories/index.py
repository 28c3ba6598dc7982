"""What a search index does in the transactions of memories. The app above that has one hands it over by `use`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from memories.models import Memory
from memories.payload import Payload
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements.batching import Rows, Statement


@dataclass(frozen=True, slots=True)
class SaidMemory:
    """A memory as an index reads it, in clear. It does not print."""

    id: UUID
    conversation_id: UUID
    revision: int
    occurred_at: datetime
    expires_at: datetime | None
    payload: Payload = field(repr=False)
    role: str = ""
    """Empty where it is not known yet."""

    @classmethod
    def of(cls, row: Memory, payload: Payload) -> SaidMemory:
        """Return the memory of a row and its opened payload."""
        return cls(row.pk, row.conversation_id, row.revision, row.occurred_at, row.expires_at, payload, row.role)


class PreparedEntries(Protocol):
    """What an index makes of memories before anything is locked."""

    def reads(self) -> Sequence[Statement]:
        """Return what is to be read once the conversation is locked, for batching with other statements."""
        ...

    def write(self, vault: Vault, roles: Mapping[UUID, str], found: Sequence[Rows], instead_of: object = None) -> None:
        """Put it into the index, inside the transaction that wrote the memories, with their conversation locked.

        `found` is what `reads` found. `roles` has the role of each memory, which is known by then. `instead_of` is what
        `withdraw` returned of a memory that was changed.
        """
        ...


class SearchIndex(Protocol):
    """What happens to an index when memories come, change and go. Each runs inside as_user(user_id)."""

    def prepare(self, user_id: UUID, memories: Sequence[SaidMemory]) -> PreparedEntries:
        """Read and compute what entries of these memories of one conversation need. Locks nothing."""
        ...

    def imported(self, user_id: UUID, memory_ids: Sequence[UUID]) -> None:
        """Note that these memories were written without entries."""
        ...

    def withdraw(self, user_id: UUID, memory_id: UUID, *, deleted: bool) -> object:
        """Remove what was made of a memory, before its row is changed or deleted. Its conversation is locked.

        Return what the index wants to know again when the changed memory is written.
        """
        ...

    def expires(self, user_id: UUID, memory_id: UUID, at: datetime | None) -> None:
        """Follow a change of a memory's expiry alone."""
        ...

    def conversation_renamed(self, user_id: UUID, conversation_id: UUID) -> None:
        """Follow a change of a conversation's title."""
        ...

    def conversation_deleted(self, user_id: UUID) -> None:
        """Follow the deletion of a conversation, whose entries went with it."""
        ...


class NoEntries:
    """Entries of no index."""

    def reads(self) -> Sequence[Statement]:
        """Return nothing to read."""
        return ()

    def write(self, vault: Vault, roles: Mapping[UUID, str], found: Sequence[Rows], instead_of: object = None) -> None:
        """Do nothing."""


class NoIndex:
    """No search index: memories are kept, and nothing more."""

    def prepare(self, user_id: UUID, memories: Sequence[SaidMemory]) -> PreparedEntries:
        """Return entries that are nothing."""
        return NoEntries()

    def imported(self, user_id: UUID, memory_ids: Sequence[UUID]) -> None:
        """Do nothing."""

    def withdraw(self, user_id: UUID, memory_id: UUID, *, deleted: bool) -> object:
        """Do nothing."""
        return None

    def expires(self, user_id: UUID, memory_id: UUID, at: datetime | None) -> None:
        """Do nothing."""

    def conversation_renamed(self, user_id: UUID, conversation_id: UUID) -> None:
        """Do nothing."""

    def conversation_deleted(self, user_id: UUID) -> None:
        """Do nothing."""


_used: list[SearchIndex] = [NoIndex()]


def use(index: SearchIndex) -> None:
    """Make memories follow this index."""
    _used[0] = index


def search_index() -> SearchIndex:
    """Return the index in use."""
    return _used[0]
