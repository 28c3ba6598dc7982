"""What happens to a person's index: pending memories are indexed, its size is counted, its passages are moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from stories.index.backlog import make_chunk, next_chunk, write_chunk
from stories.models import SearchSet, Story
from stories.processors.configured import embedder, embedder_named
from stories.processors.embedding import Embedder
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk

CHUNK: Final = 500
"""Passages that are moved in one transaction."""
MOVE: Final = (
    "UPDATE passages SET in_graph = %b WHERE user_id = %b AND id = ANY(ARRAY("
    "SELECT id FROM passages WHERE user_id = %b AND in_graph = %b LIMIT %b)) RETURNING 1"
)


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
        return len(bulk.run(MOVE, [into, user_id, user_id, not into, CHUNK]))


def belongs_in_graph(search_set: SearchSet) -> bool:
    """Return whether a set of this size is searched in the graph."""
    most: int = settings.SEARCH_EXACT_UP_TO
    return bool(search_set.passages > (most // 2 if search_set.in_graph else most))
