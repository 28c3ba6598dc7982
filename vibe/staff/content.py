"""One person's content, opened for the holder of a grant. The only place of the admin that opens sealed values.

Everything here runs in the person's own scope, entered for the block only, so that a mistake shows no other person's
rows. The values are left out of `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.keys.services.data_keys import open_vault
from memories.models import Conversation, Memory
from memories.payload import OpenedMemory, open_memories
from stories.facts.services.reading import open_facts
from stories.facts.storing import read_statements
from stories.models import Story
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import execute_batch

CONVERSATIONS, MEMORIES, FACTS = 50, 200, 200  # on one page
STORY = ("title", "text", "people", "places", "events")


@dataclass(frozen=True, slots=True)
class OpenedConversation:
    """A conversation with its title and description in clear."""

    id: UUID
    memory_count: int
    active_at: datetime
    is_archived: bool
    title: str = field(repr=False)
    description: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedStory:
    """A story in clear."""

    id: UUID
    title: str = field(repr=False)
    text: str = field(repr=False)
    people: str = field(repr=False)
    places: str = field(repr=False)
    events: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and whether there are more."""

    number: int
    more: bool
    rows: list[Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """One conversation with a page of its memories and its stories."""

    conversation: OpenedConversation
    memories: Page
    stories: list[OpenedStory]


def conversations(user_id: UUID, number: int) -> Page:
    """Return a page of the person's conversations, newest first."""
    with as_user(user_id):
        vault = open_vault()
        rows = Conversation.objects.of(user_id).order_by("-active_at", "-id")
        found, more = window(rows, number, CONVERSATIONS)
        return Page(number, more, [opened(row, vault) for row in found])


def facts(user_id: UUID, number: int) -> Page:
    """Return a page of the person's facts, those too that have ended, the newest learned first."""
    with as_user(user_id):
        [rows] = execute_batch(read_statements(user_id))
        found = open_facts(open_vault(), rows)[::-1]
    start = (number - 1) * FACTS
    return Page(number, len(found) > start + FACTS, found[start : start + FACTS])


def conversation(user_id: UUID, conversation_id: UUID, number: int) -> Reading | None:
    """Return a conversation, a page of its memories in order, and its stories; None if the person has no such one."""
    with as_user(user_id):
        row = Conversation.objects.of(user_id).filter(pk=conversation_id).first()
        if row is None:
            return None
        vault = open_vault()
        of_it = Memory.objects.of(user_id).filter(conversation_id=conversation_id).order_by("occurred_at", "id")
        found, more = window(of_it, number, MEMORIES)
        memories: list[OpenedMemory] = open_memories(found, vault)
        stories = Story.objects.of(user_id).filter(conversation_id=conversation_id).only("user_id", "revision", *STORY)
        return Reading(opened(row, vault), Page(number, more, memories), [told(story, vault) for story in stories])


def window(rows: Any, number: int, size: int) -> tuple[list[Any], bool]:
    """Return one page, and whether more rows follow."""
    found = list(rows[(number - 1) * size : number * size + 1])
    return found[:size], len(found) > size


def opened(row: Any, vault: Vault) -> OpenedConversation:
    """Open a conversation's title and description."""
    clear = {
        column: "" if (value := getattr(row, column)) is None else vault.open(value, address_of(row, column))
        for column in ("title", "description")
    }
    return OpenedConversation(row.pk, row.memory_count, row.active_at, row.is_archived, **clear)


def told(story: Story, vault: Vault) -> OpenedStory:
    """Open a story."""
    return OpenedStory(
        story.pk, **{column: vault.open(getattr(story, column), address_of(story, column)) for column in STORY}
    )
