"""A person's stories, opened: one by its id, or a page of them, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg import sql

from accounts.companions import companion_token
from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Conversation
from stories.building.sources import no_such_story, story_at
from stories.models import Story
from stories.processors.base import Event
from stories.sealed_story import open_draft
from stories.search.filters import Filters, joined, story_conditions
from vibe.core.crypto.vault import Vault
from vibe.core.db.paging import Position
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.errors import InputError

MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class OpenedStory:
    """A story in clear. It does not print. `message_id` of an event is the id of a memory, or empty."""

    id: UUID
    conversation_id: UUID
    revision: int
    occurred_from: datetime
    occurred_to: datetime
    memory_ids: tuple[UUID, ...]
    processor: str
    corrected: tuple[str, ...]
    """The fields that stand as the person corrected them."""
    corrected_at: datetime | None
    created_at: datetime
    built_at: datetime | None
    title: str | None = field(repr=False)
    """Title and text are None until the story is built."""
    text: str | None = field(repr=False)
    people: tuple[str, ...] = field(repr=False)
    places: tuple[str, ...] = field(repr=False)
    events: tuple[Event, ...] = field(repr=False)

    @property
    def updated_at(self) -> datetime:
        """When it was built or corrected last: with the revision its version, see vibe.core.db.schema.owned."""
        return max(filter(None, (self.created_at, self.built_at, self.corrected_at)))

    @property
    def position(self) -> Position:
        """Where it stands in the list: `list_stories(after=...)` goes on behind it."""
        return Position(self.occurred_from, self.id)


def open_story(*, user_id: UUID, story_id: UUID, actor: Actor, companion: str | None = None) -> OpenedStory:
    """One story of the person's; with a companion, of a conversation with it. What is given back was recorded first.

    Raises NotFound.
    """
    with as_user(user_id):
        vault = open_vault()
        found = replica.read(user_id, lambda: opened(story_at(user_id, story_id), vault))
        if companion is not None:
            theirs = Conversation.objects.of(user_id).with_companion(companion_token(vault, companion))
            if not theirs.filter(pk=found.conversation_id).exists():
                raise no_such_story()
        record(actor=actor, action="story.read", subject=user_id, resource=f"stories/{story_id}")
    return found


def list_stories(
    *, user_id: UUID, actor: Actor, limit: int = 50, after: Position | None = None, filters: Filters | None = None
) -> list[OpenedStory]:
    """Up to `limit` (1 to 200) of the person's stories, by when they began, the newest first; fewer at the end.

    What is built or deleted between two pages neither repeats nor hides another story.
    """
    if not 1 <= limit <= MOST_LISTED:
        raise InputError(f"The limit must be from 1 to {MOST_LISTED}.")
    with as_user(user_id):
        vault = open_vault()
        found = replica.read(user_id, lambda: page(user_id, vault, limit, after, filters))
        record(
            actor=actor,
            action="stories.list",
            subject=user_id,
            resource="stories",
            details={"stories": [str(story.id) for story in found]},
        )
    return found


def page(user_id: UUID, vault: Vault, limit: int, after: Position | None, filters: Filters | None) -> list[OpenedStory]:
    """A page, opened."""
    ids = listed(user_id, vault, limit, after, filters)
    rows = {row.pk: row for row in Story.objects.of(user_id).filter(pk__in=ids).defer("embedding")}
    return [opened(rows[each], vault) for each in ids if each in rows]


def listed(user_id: UUID, vault: Vault, limit: int, after: Position | None, filters: Filters | None) -> list[UUID]:
    """The ids of a page."""
    parts = list(story_conditions(filters, vault)) if filters else []
    if after:
        parts.append(("(s.occurred_from, s.id) < ({}, {})", [after.at, after.id]))
    condition, values = joined(parts)
    statement = sql.SQL(
        "SELECT s.id FROM stories s WHERE s.user_id = %(user)b {} "
        "ORDER BY s.occurred_from DESC, s.id DESC LIMIT %(limit)b"
    ).format(condition)
    return [row_id for (row_id,) in bulk.run(statement, {"user": user_id, "limit": limit, **values})]


def opened(story: Story, vault: Vault) -> OpenedStory:
    """A story in clear."""
    draft = open_draft(story, vault)
    return OpenedStory(
        id=story.pk,
        conversation_id=story.conversation_id,
        revision=story.revision,
        occurred_from=story.occurred_from,
        occurred_to=story.occurred_to,
        memory_ids=tuple(story.memory_ids),
        processor=story.processor,
        corrected=tuple(story.corrected),
        corrected_at=story.corrected_at,
        created_at=story.created_at,
        built_at=story.built_at,
        title=None if story.title is None else draft.title,
        text=None if story.text is None else draft.text,
        people=draft.people,
        places=draft.places,
        events=draft.events,
    )
