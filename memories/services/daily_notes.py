"""Daily notes: memories added without a conversation go to that of their day."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone

from audit.actors import Actor
from memories.imports.services.conversations import lock_person
from memories.models import Conversation, Memory
from memories.payload import Payload
from memories.roles import Role
from memories.services.adding import NewMemory, add_memories
from memories.services.conversations import create_conversation
from vibe.core.db.scopes import as_user


def add_note(
    *,
    user_id: UUID,
    payload: Payload,
    actor: Actor,
    occurred_at: datetime | None = None,
    role: Role | None = None,
    expires_at: datetime | None = None,
    conversation_id: UUID | None = None,
) -> Memory:
    """Add a memory to a conversation, or to the daily notes of its day (UTC). Raises NotFound."""
    when = occurred_at or timezone.now()
    with as_user(user_id):
        where = conversation_id or _conversation_of_day(user_id, when, actor)
        new = NewMemory(payload, occurred_at=when, role=role, expires_at=expires_at)
        (kept,) = add_memories(user_id=user_id, conversation_id=where, memories=[new], actor=actor)
    return kept.row


def _conversation_of_day(user_id: UUID, when: datetime, actor: Actor) -> UUID:
    """Return the conversation of a day's notes, created with the first of them."""
    day = when.astimezone(UTC).date()
    name = f"notes:{day}"
    lock_person(user_id)
    there: UUID | None = Conversation.objects.of(user_id).filter(external_id=name).values_list("pk", flat=True).first()
    if there:
        return there
    made = create_conversation(user_id=user_id, actor=actor, title=f"Notes of {day}", external_id=name, started_at=when)
    return made.row.pk
