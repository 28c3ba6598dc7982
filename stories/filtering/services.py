"""Memories by what is known of them, without a question: who said them, when, to whom, with which metadata.

All of it is compared blind, in the rows that search goes by, so what is not indexed yet is not listed yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import sql

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories import reading
from memories.metadata import Metadata
from memories.services.adding import KeptMemory
from stories.index.pending import count_pending
from stories.search.filters import Filters, joined, passage_conditions
from vibe.core.crypto.vault import Vault
from vibe.core.db.paging import Position
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch

NEWEST = sql.SQL(
    "SELECT p.occurred_at, p.memory_id FROM passages p WHERE p.user_id = %(user)b AND p.memory_id IS NOT NULL "
    "AND p.part = 0 AND (p.expires_at IS NULL OR p.expires_at > statement_timestamp()) {} "
    "ORDER BY p.occurred_at DESC, p.memory_id DESC LIMIT %(limit)b"
)


@dataclass(frozen=True, slots=True)
class FilteredMemories:
    """A page of memories, where the next one begins, and how many memories are not indexed yet."""

    memories: list[KeptMemory] = field(repr=False)
    next: Position | None
    pending: int


def filter_memories(
    *,
    user_id: UUID,
    actor: Actor,
    filters: Filters,
    metadata_any: Sequence[Metadata] = (),
    limit: int,
    after: Position | None = None,
) -> FilteredMemories:
    """Return the person's memories that a filter leaves, the newest first; with `metadata_any`, those of one of them.

    Raises InputError for more members of metadata than memories are found by.
    """
    with as_user(user_id):
        parts = list(_conditions(user_id, filters, metadata_any, open_vault(to_process=True)))
        if after:
            parts.append(("(p.occurred_at, p.memory_id) < ({}, {})", [after.at, after.id]))
        condition, values = joined(parts)
        given = {"user": user_id, "limit": limit + 1, **values}
        found = replica.read(user_id, lambda: [Position(*row) for row in bulk.run(NEWEST.format(condition), given)])
        memories = [each for each in reading.memories(user_id, [place.id for place in found[:limit]]) if each]
        [[[pending]]] = execute_batch(count_pending(user_id))
        ids = [str(each.row.pk) for each in memories]
        record(actor=actor, action="memories.filter", subject=user_id, resource="memories", details={"memories": ids})
    return FilteredMemories(memories, found[limit - 1] if len(found) > limit else None, pending)


def _conditions(
    user_id: UUID, filters: Filters, metadata_any: Sequence[Metadata], vault: Vault
) -> Iterator[tuple[str, Sequence[object]]]:
    """Give each condition on the passage `p` of a memory, with its parameters."""
    yield from passage_conditions(user_id, filters, vault)
    if metadata_any and all(metadata_any):  # one without members is had by every memory
        each = [
            condition
            for metadata in metadata_any
            for condition in passage_conditions(user_id, Filters(metadata=metadata), vault)
        ]
        yield " OR ".join(text for text, _ in each), [value for _, values in each for value in values]
