"""Archiving and unarchiving of conversations by staff, by id and without opening their content."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from audit.actors import Actor
from audit.services import record
from memories.models import Conversation
from vibe.core.db.scopes import as_support
from vibe.core.errors import NotFound


def set_archived(*, user_id: UUID, conversation_id: UUID, archived: bool, actor: Actor) -> bool:
    """Archive or unarchive a conversation, and return whether this changed anything. Raises NotFound."""
    with as_support():
        row = Conversation.objects.of(user_id).filter(pk=conversation_id)
        if not row.exists():
            raise NotFound("The person has no such conversation.")
        changed = row.exclude(is_archived=archived).update(is_archived=archived, updated_at=timezone.now())
        if changed:
            action = "conversation.archive" if archived else "conversation.unarchive"
            record(actor=actor, action=action, subject=user_id, resource=f"conversations/{conversation_id}")
    return bool(changed)
