"""A person deletes a story: what was made of the conversation goes, the conversation stays."""

from __future__ import annotations

from uuid import UUID

from audit.actors import Actor
from audit.services import record
from memories.models import Memory
from stories.building.sources import hold
from stories.building.storing import KEPT, drop_passages
from stories.entities import services as entities
from stories.index.services import count, hold_search_set
from stories.models import Story, StoryDeletion
from stories.tasks import start_telling
from vibe.core.db.scopes import as_user
from vibe.core.db.versions import Versions, require_version
from vibe.core.errors import NotFound

VERSION = ("built_at", "corrected_at")


def delete_story(*, user_id: UUID, story_id: UUID, actor: Actor, expected: Versions | None = None) -> None:
    """Delete a story with its passages, and the names that nothing else bears. Raises NotFound and Outdated.

    Its conversation is told again only once it has a message that it has not now, then as a new story. A job looks
    whether what is left is still to be searched in the graph.
    """
    with as_user(user_id):
        conversation_id = conversation_of(user_id, story_id)
        hold(user_id, conversation_id)
        search_set = hold_search_set(user_id)
        story = Story.objects.of(user_id).filter(pk=story_id).only(*KEPT, *VERSION).first()
        if story is None:
            raise NotFound("There is no such story.")
        require_version(story, expected)
        gone = drop_passages(user_id, story_id)
        names = {**entities.borne_by(story), entities.KIND.SPEAKER: gone}
        story.delete()
        whole = len(gone) == story.passage_count  # or some went with their memories, and nobody can say who spoke there
        entities.forget_unused(user_id, entities.difference(names, {}, set()) if whole else None)
        count(search_set, -story.passage_count, -story.word_count)
        remember_deletion(user_id, conversation_id)
        record(
            actor=actor,
            action="story.delete",
            subject=user_id,
            resource=f"stories/{story_id}",
            details={"conversation": str(conversation_id)},
        )
        start_telling(user_id, [conversation_id])


def conversation_of(user_id: UUID, story_id: UUID) -> UUID:
    """What a story tells. Raises NotFound."""
    found = Story.objects.of(user_id).filter(pk=story_id).values_list("conversation_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such story.")
    return UUID(str(found))


def remember_deletion(user_id: UUID, conversation_id: UUID) -> None:
    """Note of which memories no story is wanted."""
    there = Memory.objects.of(user_id).filter(conversation_id=conversation_id).values_list("pk", flat=True)
    StoryDeletion(user_id=user_id, conversation_id=conversation_id, memory_ids=list(there)).save(force_insert=True)
