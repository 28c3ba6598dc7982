"""Some pending memories of one conversation: read with what they follow, made into entries, written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from accounts.keys.services.data_keys import open_vault
from memories.index import SaidMemory
from memories.models import Conversation, Memory
from memories.payload import open_memories
from stories.facts.storing import replace_statements
from stories.index.dividing import divide_open
from stories.index.entries import Entries, insert_passages, make_entries, stated, without_context
from stories.models import Passage, PendingMemory, SearchSet
from stories.processors.openai_compatible.budget import spending_for
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch

CHUNK: Final = 50
"""Memories that are indexed in one transaction: their conversation is locked while they are written."""

# The oldest conversation that has pending memories, its first ones by time, and what each follows.
NEXT: Final = (
    "WITH pending AS (SELECT m.id, m.conversation_id, m.occurred_at FROM pending_memories p "
    "JOIN encrypted_memories m ON m.user_id = p.user_id AND m.id = p.memory_id "
    "WHERE p.user_id = %b AND m.user_id = %b AND p.bulk = %b AND m.conversation_id = ("
    "SELECT f.conversation_id FROM pending_memories o JOIN encrypted_memories f "
    "ON f.user_id = o.user_id AND f.id = o.memory_id WHERE o.user_id = %b AND f.user_id = %b AND o.bulk = %b "
    "ORDER BY o.id LIMIT 1) ORDER BY m.occurred_at, m.id LIMIT %b) "
    "SELECT pending.id, (SELECT e.id FROM encrypted_memories e WHERE e.user_id = %b "
    "AND e.conversation_id = pending.conversation_id AND (e.occurred_at, e.id) < (pending.occurred_at, pending.id) "
    "ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1) FROM pending ORDER BY pending.occurred_at, pending.id"
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pending memories of one conversation, opened, each with what it follows."""

    conversation_id: UUID
    memories: list[tuple[SaidMemory, SaidMemory | None]] = field(repr=False)
    search_set: SearchSet | None


def next_chunk(user_id: UUID, bulk_ones: bool) -> Chunk | None:
    """Return the next memories to index; None if there are none."""
    asked = [user_id, user_id, bulk_ones, user_id, user_id, bulk_ones, CHUNK, user_id]
    wanted: list[tuple[UUID, UUID | None]] = bulk.run(NEXT, asked)  # type: ignore[assignment]
    if not wanted:
        return None
    ids = {each for pair in wanted for each in pair if each}
    rows = list(Memory.objects.of(user_id).filter(pk__in=ids))
    opened = open_memories(rows, open_vault(to_process=True))
    said = {row.pk: SaidMemory.of(row, memory.payload) for row, memory in zip(rows, opened, strict=True)}
    memories = [(said[row_id], said.get(before) if before else None) for row_id, before in wanted]
    return Chunk(memories[0][0].conversation_id, memories, SearchSet.objects.of(user_id).first())


def make_chunk(user_id: UUID, vault: Vault, chunk: Chunk) -> Entries:
    """Make the entries of memories, in no transaction. Raises EmbedderFailed and TokensSpent."""
    with spending_for(user_id):
        return make_entries(vault, chunk.memories, chunk.search_set, wait=True)


def write_chunk(user_id: UUID, chunk: Chunk, made: Entries) -> None:
    """Write the entries of memories that are still as they were read; the others stay pending.

    Only for memories that are in no episode yet is the conversation locked, so that nothing is added meanwhile.
    """
    # Keys are opened again: nothing is to be written under one that was destroyed meanwhile.
    vault = open_vault(to_process=True)
    wanted = [entry.memory.id for entry in made.made]
    stories = stories_of(user_id, wanted)
    if len(stories) < len(wanted):
        hold_conversation(user_id, chunk.conversation_id)
        stories = stories_of(user_id, wanted)
    read = {*wanted, *(entry.context.id for entry in made.made if entry.context)}
    rows = Memory.objects.of(user_id).filter(pk__in=read).order_by("pk").select_for_update(no_key=True)
    now = list(rows.values_list("pk", "revision", "role"))
    revisions, roles = {row_id: at for row_id, at, _ in now}, {row_id: role for row_id, _, role in now}
    stale = {entry.memory.id for entry in without_context(made.made, revisions)}
    fresh = [
        entry
        for entry in made.made
        if revisions.get(entry.memory.id) == entry.memory.revision and entry.memory.id not in stale
    ]
    again = [entry for entry in fresh if entry.memory.id in stories]
    if again:
        Passage.objects.of(user_id).filter(memory_id__in=[entry.memory.id for entry in again]).delete()
        insert_passages(user_id, again, [stories[entry.memory.id] for entry in again], roles, made.model)
        replace_statements(user_id, vault, {entry.memory.id for entry in again}, stated(again, roles))
    if new := [entry for entry in fresh if entry.memory.id not in stories]:
        added = Entries(user_id, new, [], made.model)
        added.write(vault, roles, execute_batch(*added.reads()))
        divide_open(user_id, chunk.conversation_id)
    PendingMemory.objects.of(user_id).filter(memory_id__in=[entry.memory.id for entry in fresh]).delete()


def stories_of(user_id: UUID, memory_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """Return the story of each memory that is indexed already; None where its person deleted that."""
    passages = Passage.objects.of(user_id).filter(memory_id__in=memory_ids)
    return dict(passages.values_list("memory_id", "story_id"))


def hold_conversation(user_id: UUID, conversation_id: UUID) -> None:
    """Let nothing be added to a conversation until the transaction ends."""
    list(Conversation.objects.of(user_id).filter(pk=conversation_id).select_for_update(no_key=True).values_list("pk"))
