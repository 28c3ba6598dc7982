"""A changed conversation loses what no longer holds at once, and is told anew: the job goes with the change itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from memories.signals import conversations_changed
from stories.tasks import start_telling
from vibe.core.db.statements import bulk


@receiver(conversations_changed)
def follow(user_id: UUID, conversation_ids: Iterable[UUID], only_added: bool = False, **_: Any) -> None:
    """One job a conversation, all in one statement. A job that finds nothing to do ends at once."""
    changed = list(conversation_ids)
    if not only_added:
        drop_outdated(user_id, changed)
    start_telling(user_id, changed)


def drop_outdated(user_id: UUID, conversation_ids: list[UUID]) -> None:
    """Search must not find a memory by what it said before. (Those of deleted memories went with them.)"""
    bulk.run(
        # Materialized: without statistics of a new person the planner would compare all memories with all passages.
        "WITH memory AS MATERIALIZED (SELECT id, revision FROM encrypted_memories "
        "WHERE user_id = %b AND conversation_id = ANY(%b)) "
        "DELETE FROM passages USING memory WHERE passages.user_id = %b AND passages.memory_id = memory.id "
        "AND memory.revision <> passages.memory_revision",
        [user_id, conversation_ids, user_id],
    )
    bulk.run(
        "DELETE FROM next_vectors USING stories WHERE next_vectors.user_id = %b AND stories.user_id = %b "
        "AND stories.id = next_vectors.story_id AND stories.conversation_id = ANY(%b)",
        [user_id, user_id, conversation_ids],
    )
