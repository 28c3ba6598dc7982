"""A person deletes a story: what was made of the episode goes, what was said stays and is found."""

from __future__ import annotations

from uuid import UUID

from audit.actors import Actor
from audit.services import record
from stories.building.sources import hold_story
from stories.entities import services as entities
from stories.index.services import add_counts
from stories.models import Passage
from vibe.core.db.schema.owned import Versions, require_version
from vibe.core.db.scopes import as_user


def delete_story(*, user_id: UUID, story_id: UUID, actor: Actor, expected: Versions | None = None) -> None:
    """Delete a story, and the names that no other bears. Raises NotFound and Outdated.

    Its memories stay, are found by search, and enter no other story.
    """
    with as_user(user_id):
        story = hold_story(user_id, story_id)
        require_version(story, expected)
        borne = {kind: list(tokens) for kind, tokens in entities.borne_by(story).items()}
        passages = Passage.objects.of(user_id).filter(story_id=story_id)
        passages.filter(memory_id=None).delete()
        passages.update(story_id=None)
        add_counts(user_id, -story.passage_count, -story.word_count)
        story.delete()
        entities.forget_unused(user_id, borne)
        record(
            actor=actor,
            action="story.delete",
            subject=user_id,
            resource=f"stories/{story_id}",
            details={"conversation": str(story.conversation_id)},
        )
