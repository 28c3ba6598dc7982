"""What happens to a person's index: pending memories are indexed, all are indexed again while search goes on, its size
is counted, its passages are moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.index import SaidMemory
from memories.models import UNEXPIRED, Conversation, Memory
from memories.payload import open_memories
from stories.facts.storing import replace_statements
from stories.index.dividing import divide_open
from stories.index.entries import FORM, Entries, insert_passages, make_entries, stated, without_context
from stories.index.pending import note_pending
from stories.models import Passage, PendingMemory, SearchSet, Story
from stories.processors.configured import embedder, embedder_named
from stories.processors.embedding import Embedder
from stories.processors.openai_compatible.budget import spending_for
from vibe.core.crypto.vault import Vault
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch

MEMORIES_A_CHUNK: Final = 50
"""Memories that are indexed in one transaction: their conversation is locked while they are written."""

# The oldest conversation that has pending memories, its first ones by time, and what each follows.
NEXT: Final = (
    "WITH pending AS (SELECT m.id, m.conversation_id, m.occurred_at FROM pending_memories p "  # noqa: S608
    "JOIN encrypted_memories m ON m.user_id = p.user_id AND m.id = p.memory_id "
    f"WHERE p.user_id = %b AND m.user_id = %b AND p.bulk = %b AND {UNEXPIRED} AND m.conversation_id = ("
    "SELECT f.conversation_id FROM pending_memories o JOIN encrypted_memories f "
    "ON f.user_id = o.user_id AND f.id = o.memory_id WHERE o.user_id = %b AND f.user_id = %b AND o.bulk = %b "
    f"AND {UNEXPIRED} ORDER BY o.id LIMIT 1) ORDER BY m.occurred_at, m.id LIMIT %b) "
    "SELECT pending.id, (SELECT e.id FROM encrypted_memories e WHERE e.user_id = %b "
    "AND e.conversation_id = pending.conversation_id AND (e.occurred_at, e.id) < (pending.occurred_at, pending.id) "
    "ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1) FROM pending ORDER BY pending.occurred_at, pending.id"
)

PASSAGES_AT_ONCE: Final = 500
"""Passages that are moved in one transaction."""
MOVE: Final = (
    "UPDATE passages SET in_graph = %b WHERE user_id = %b AND id = ANY(ARRAY("
    "SELECT id FROM passages WHERE user_id = %b AND in_graph = %b LIMIT %b)) RETURNING 1"
)

MEMORIES_AT_ONCE: Final = 500
"""Memories that are taken up at a time."""
NOTHING: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pending memories of one conversation, opened, each with what it follows."""

    conversation_id: UUID
    memories: list[tuple[SaidMemory, SaidMemory | None]] = field(repr=False)
    search_set: SearchSet | None


def next_chunk(user_id: UUID, bulk_ones: bool) -> Chunk | None:
    """Return the next memories to index; None if there are none."""
    asked = [user_id, user_id, bulk_ones, user_id, user_id, bulk_ones, MEMORIES_A_CHUNK, user_id]
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


def index_pending(
    *, user_id: UUID, bulk_ones: bool, actor: Actor, on_progress: Callable[[int], object] = lambda _: None
) -> int:
    """Index what is pending of a person, and return how many memories that was.

    Such are long texts, imports, and vectors of a model that is elsewhere, or that are made anew. A few at a time are
    read, made into entries in no transaction, and written. `on_progress` is called with their number. Raises
    EmbedderFailed and TokensSpent, with what was indexed so far kept.
    """
    done = 0
    while True:
        with as_user(user_id):
            vault = open_vault(to_process=True)
            chunk = next_chunk(user_id, bulk_ones)
        if chunk is None:
            return done
        made = make_chunk(user_id, vault, chunk)
        with as_user(user_id):
            write_chunk(user_id, chunk, made)
            record(
                actor=actor,
                action="memories.index",
                subject=user_id,
                resource=f"conversations/{chunk.conversation_id}",
                details={"memories": len(chunk.memories)},
            )
        done += len(chunk.memories)
        on_progress(len(chunk.memories))


def count_story(story: Story) -> None:
    """Bring the counts of a story, and of its person's set, to the passages that it has now. The story is locked."""
    [(passages, words)] = bulk.run(
        "SELECT count(*), coalesce(sum(length), 0) FROM passages WHERE user_id = %b AND story_id = %b",
        [story.user_id, story.pk],
    )
    more = passages - story.passage_count, words - story.word_count
    story.passage_count, story.word_count = passages, words
    add_counts(story.user_id, *more)


def add_counts(user_id: UUID, passages: int, words: int) -> None:
    """Add to the counts that the strategy is chosen and words are weighed by, or take from them."""
    if passages or words:
        bulk.run(
            "UPDATE search_sets SET passages = greatest(0, passages + %b), words = greatest(0, words + %b) "
            "WHERE user_id = %b",
            [passages, words, user_id],
        )


def recount(user_id: UUID) -> None:
    """Count from the stories: for when some went with their conversation."""
    bulk.run(
        "UPDATE search_sets SET (passages, words) = "
        "(SELECT coalesce(sum(passage_count), 0), coalesce(sum(word_count), 0) "
        "FROM stories WHERE stories.user_id = %b) WHERE user_id = %b",
        [user_id, user_id],
    )


def model_for(search_set: SearchSet | None) -> Embedder:
    """Return what makes vectors for a person now: the model of those that are there, if it can still be asked.

    All of them can so be compared with one question, until `reembedding` exchanges them at once.
    """
    if search_set is None or not search_set.embedder:
        return embedder()
    return embedder_named(search_set.embedder) or embedder()


def settle_graph(*, user_id: UUID, actor: Actor) -> bool:
    """Move a person's passages into the shared graph, or out of it, when their number says so. Whether any moved.

    A few at a time, while memories are added and searched: search looks at those outside the graph one by one. A set
    leaves only well below the size at which it enters, so that one that hovers there is not moved to and fro.
    """
    with as_user(user_id):
        search_set = SearchSet.objects.of(user_id).first()
        if search_set is None:
            return False
        belongs = belongs_in_graph(search_set)
        if not (belongs or search_set.in_graph):
            return False
        if belongs != search_set.in_graph:
            SearchSet.objects.of(user_id).update(in_graph=belongs)
            Story.objects.of(user_id).update(in_graph=belongs)
    moved = 0
    while count := move(user_id, belongs):
        moved += count
    if moved:
        with as_user(user_id):
            details = {"in_graph": belongs, "passages": moved}
            record(actor=actor, action="search_set.move", subject=user_id, resource="search_sets", details=details)
    return bool(moved)


def move(user_id: UUID, into: bool) -> int:
    """Move some passages into the graph, or out of it, and return how many."""
    with as_user(user_id):
        return len(bulk.run(MOVE, [into, user_id, user_id, not into, PASSAGES_AT_ONCE]))


def belongs_in_graph(search_set: SearchSet) -> bool:
    """Return whether a set of this size is searched in the graph."""
    most: int = settings.SEARCH_EXACT_UP_TO
    return bool(search_set.passages > (most // 2 if search_set.in_graph else most))


def count_outdated(user_id: UUID, *, everything: bool) -> int:
    """Return how many memories of a person are to be indexed again."""
    with as_user(user_id):
        if everything:
            return Memory.objects.of(user_id).count()
        return Passage.objects.of(user_id).filter(form__lt=FORM, part=0).exclude(memory=None).count()


def reindex_person(
    *, user_id: UUID, everything: bool, actor: Actor, on_progress: Callable[[int], object] = lambda _: None
) -> int:
    """Index again the memories of a person that are of an earlier form, or all of them. Return how many.

    Each is replaced as a whole, in one transaction with some others. What was begun is ended by the next run or by the
    worker. Raises EmbedderFailed and TokensSpent.
    """
    after, done = NOTHING, index_pending(user_id=user_id, bulk_ones=True, actor=actor)
    while True:
        with as_user(user_id):
            ids = next_ids(user_id, after, everything)
            note_pending(user_id, ids, bulk=True)
        if not ids:
            return done
        after = ids[-1]
        done += index_pending(user_id=user_id, bulk_ones=True, actor=actor, on_progress=on_progress)


def next_ids(user_id: UUID, after: UUID, everything: bool) -> list[UUID]:
    """Return the next memories by id."""
    if everything:
        rows = Memory.objects.of(user_id).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    else:
        passages = Passage.objects.of(user_id).filter(form__lt=FORM, part=0, memory_id__gt=after)
        rows = passages.order_by("memory_id").values_list("memory_id", flat=True)
    return list(rows[:MEMORIES_AT_ONCE])
