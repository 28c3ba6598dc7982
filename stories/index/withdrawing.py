"""Removes what was made of a memory, in the transaction that changes or deletes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.utils import timezone

from accounts.keys.services.data_keys import open_vault
from stories.entities import services as entities
from stories.index.entries import Placed
from stories.index.episodes import Episode
from stories.index.pending import make_pending
from stories.index.services import add_counts
from stories.models import NextVector, Story
from stories.sealed_story import COLUMNS, open_draft, seal_draft
from vibe.core.db.statements.batching import current_connection, execute_batch

UNSAID: Final = (*COLUMNS, *entities.INDEXES.values(), "embedding", "memory_ids", "revision", "due_at")
PENDING: Final = "DELETE FROM pending_memories WHERE user_id = %s AND memory_id = %s"
NEXT: Final = "DELETE FROM next_vectors WHERE user_id = %s AND memory_id = %s"
FACTS: Final = "DELETE FROM facts WHERE user_id = %s AND memory_id = %s"
PASSAGES: Final = "DELETE FROM passages WHERE user_id = %s AND memory_id = %s RETURNING story_id, occurred_at, speaker"
AS_CONTEXT: Final = (
    "UPDATE passages SET embedding = NULL, context = NULL WHERE user_id = %s AND context = %s RETURNING memory_id"
)
"""Drops the vectors that a memory is part of."""
CORRECTION: Final = ("corrected", "corrected_from", "corrected_at")


def withdraw_memory(user_id: UUID, memory_id: UUID, *, deleted: bool) -> Placed | None:
    """Remove a memory's passages, its facts, the vectors made with it as context, and what its story said.

    Return where it stood; None for one that was not indexed yet. What was corrected in the story stays when the memory
    is changed. When it is deleted the correction goes too: it may say again what the memory said, and nobody can tell.
    """
    gone, replies = execute_batch(
        *((each, [user_id, memory_id]) for each in (PENDING, NEXT, FACTS, PASSAGES, AS_CONTEXT))
    )
    drop_replies(user_id, [row_id for (row_id,) in replies])
    if not gone:
        return None
    story_id, occurred_at, speaker = gone[0]
    names: dict[str, list[int]] = {entities.KIND.SPEAKER.value: [speaker]}
    episode = None
    if story_id:
        story = withdraw_from_story(user_id, story_id, names, deleted=deleted)
        episode = Episode(story_id, story.occurred_from, story.occurred_to, story.is_open)
    entities.forget_unused(user_id, names)
    return Placed(episode, occurred_at)


def drop_replies(user_id: UUID, memory_ids: Sequence[UUID]) -> None:
    """Have a job make the vectors of memories whose context was removed, without it."""
    if memory_ids:
        NextVector.objects.of(user_id).filter(memory_id__in=memory_ids).delete()
        make_pending(user_id, memory_ids)


def withdraw_from_story(user_id: UUID, story_id: UUID, names: dict[str, list[int]], *, deleted: bool) -> Story:
    """Count a memory out of its story, and take back what that said. Add the tokens of the names it bore to `names`."""
    connection = current_connection()
    connection.hold(
        "UPDATE stories SET memory_count = memory_count - 1 WHERE user_id = %s AND id = %s", [user_id, story_id]
    )
    story: Story = Story.objects.of(user_id).filter(pk=story_id).defer("embedding").select_for_update(no_key=True).get()
    names |= {kind: list(tokens) for kind, tokens in entities.borne_by(story).items()}
    if deleted:
        connection.hold(
            "DELETE FROM passages WHERE user_id = %s AND story_id = %s AND memory_id IS NULL", [user_id, story_id]
        )
    unsay(story, keep=() if deleted else tuple(story.corrected))
    if deleted and not story.memory_count:
        add_counts(user_id, -story.passage_count, -story.word_count)
        story.delete()
    return story


def unsay(story: Story, *, keep: tuple[str, ...]) -> None:
    """Empty what a story says, all but the corrected fields to `keep`, and have it built again."""
    if keep:
        vault = open_vault()
        seal_draft(story, open_draft(story, vault), vault, only=keep)
    else:
        story.revision += 1
        for column in COLUMNS:
            setattr(story, column, None)
        for column in entities.INDEXES.values():
            setattr(story, column, [])
    current_connection().hold(
        "DELETE FROM next_vectors WHERE user_id = %s AND story_id = %s", [story.user_id, story.pk]
    )
    story.embedding, story.memory_ids, story.due_at = None, [], timezone.now()
    written = list(UNSAID)
    if not keep and story.corrected:
        story.corrected, story.corrected_from, story.corrected_at = [], [], None
        written += CORRECTION
    story.save(update_fields=written)
