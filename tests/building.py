"""Indexing and building what tests of stories need, here and now, as the jobs do it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from memories.models import Memory
from memories.payload import Payload
from memories.services.adding import NewMemory, add_memories
from memories.services.conversations import create_conversation
from stories.building.services.build import build_story
from stories.index.services import index_pending
from stories.models import Story
from tests.cast import DAY, TESTER
from vibe.core.db.scopes import as_user


def say(user_id: UUID, conversation_id: UUID, author: str, text: str, at: datetime | None = None) -> Memory:
    """Add one message, now or at a moment, as the API does."""
    new = NewMemory(Payload(author, text), occurred_at=at)
    (kept,) = add_memories(user_id=user_id, conversation_id=conversation_id, memories=[new], actor=TESTER)
    return kept.row


def converse(
    user_id: UUID,
    said: Sequence[tuple[str, str]],
    *,
    at: datetime | None = None,
    every: timedelta = timedelta(seconds=1),
    external_id: str | None = None,
) -> UUID:
    """Begin a conversation, and add its messages one at a time, the last of them now or a step after another."""
    begun = create_conversation(user_id=user_id, actor=TESTER, started_at=DAY, external_id=external_id)
    for number, (author, text) in enumerate(said):
        say(user_id, begun.row.pk, author, text, at and at + number * every)
    return begun.row.pk


def index_all(user_id: UUID) -> int:
    """Index everything that is pending of a person, and return how many memories that was."""
    return sum(index_pending(user_id=user_id, bulk_ones=each, actor=TESTER) for each in (False, True))


def stories_of(user_id: UUID, conversation_id: UUID | None = None) -> list[UUID]:
    """The stories of a person, or of one conversation, in order of time."""
    with as_user(user_id):
        found = Story.objects.of(user_id).order_by("occurred_from", "id")
        found = found.filter(conversation_id=conversation_id) if conversation_id else found
        return list(found.values_list("pk", flat=True))


def build_conversation(user_id: UUID, conversation_id: UUID) -> bool:
    """Index what is pending of a person, build what is to be built of a conversation; return whether anything was."""
    index_all(user_id)
    return bool(build(user_id, conversation_id=conversation_id))


def build_all(user_id: UUID) -> int:
    """Index everything of a person, build every story that is to be built, and return how many were."""
    index_all(user_id)
    return build(user_id)


def build(user_id: UUID, **which: UUID) -> int:
    """Build the stories that are to be built some time, also where that is not due yet. Return how many were built.

    Those too that come of cutting a full one.
    """
    tried: set[UUID] = set()
    built = 0
    while due := to_build(user_id, **which) - tried:
        built += sum(build_story(user_id=user_id, story_id=each, actor=TESTER) for each in sorted(due))
        tried |= due
    return built


def to_build(user_id: UUID, **which: UUID) -> set[UUID]:
    """The stories that are to be built some time; an open one always is."""
    with as_user(user_id):
        return set(Story.objects.of(user_id).filter(**which).exclude(due_at=None).values_list("pk", flat=True))
