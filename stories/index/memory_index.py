"""The search index as memories use it: see memories.index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now

from memories.index import SaidMemory
from stories.entities import services as entities
from stories.index.entries import Entries, Placed, prepare_entries
from stories.index.pending import make_pending
from stories.index.services import recount
from stories.index.withdrawing import withdraw_memory
from stories.models import Passage, Story


class MemoryIndex:
    """Passages of memories, in the episodes that stories are built of."""

    def prepare(self, user_id: UUID, memories: Sequence[SaidMemory]) -> Entries:
        """Make words and vectors."""
        return prepare_entries(user_id, memories)

    def imported(self, user_id: UUID, memory_ids: Sequence[UUID]) -> None:
        """Leave imported memories to a job."""
        make_pending(user_id, memory_ids, bulk=True)

    def withdraw(self, user_id: UUID, memory_id: UUID, *, deleted: bool) -> Placed | None:
        """Remove what was made of a memory."""
        return withdraw_memory(user_id, memory_id, deleted=deleted)

    def expires(self, user_id: UUID, memory_id: UUID, at: datetime | None) -> None:
        """Let search pass a memory over from another moment on."""
        Passage.objects.of(user_id).filter(memory_id=memory_id).update(expires_at=at)

    def conversation_renamed(self, user_id: UUID, conversation_id: UUID) -> None:
        """Have its stories built again: their titles may repeat the old one."""
        Story.objects.of(user_id).filter(conversation_id=conversation_id).update(due_at=Now())

    def conversation_deleted(self, user_id: UUID) -> None:
        """Forget the names that only its stories bore."""
        entities.forget_unused(user_id)
        recount(user_id)
