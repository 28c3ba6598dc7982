"""A changed conversation is told anew: the job is enqueued in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from memories.signals import conversations_changed
from stories.tasks import tell
from vibe.db.contexts import as_system


@receiver(conversations_changed)
def enqueue(user_id: UUID, conversation_ids: Iterable[UUID], **_: Any) -> None:
    """One job a conversation, all in one statement. A job that finds nothing to do ends at once."""
    with as_system():
        jobs: list[dict[str, Any]] = [{"user_id": str(user_id), "conversation_id": str(each)} for each in conversation_ids]
        tell.batch_defer(*jobs)
