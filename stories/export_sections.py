"""Stories and the names in them, in an export. They are for reading: an import tells the stories anew."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from accounts.sections import Line, Page, Section, rows_after
from stories.models import Entity, Story
from stories.sealed_story import COLUMNS as SEALED
from vibe.crypto.fields import address_of
from vibe.crypto.vault import Vault

LISTS = ("people", "places", "events")
# What search alone needs, sealed apart or blind: no person can read it.
UNREAD = ("embedding", "people_index", "places_index", "events_index", "fingerprint")


def stories(user_id: UUID, vault: Vault, after: UUID | None) -> Page:
    """The next stories, opened."""
    rows = Story.objects.of(user_id).select_related("conversation").defer(*UNREAD)
    return rows_after(rows, after, lambda row: story_line(row, vault))


def story_line(row: Any, vault: Vault) -> Line:
    """One story, with what it was told from."""
    clear = {column: vault.open(getattr(row, column), address_of(row, column)) for column in SEALED}
    return {
        "type": "vibe.story",
        "id": str(row.pk),
        "conversation": row.conversation.external_id or str(row.conversation_id),
        "title": clear["title"],
        "text": clear["text"],
        **{name: json.loads(clear[name]) for name in LISTS},
        "occurred_from": row.occurred_from.isoformat(),
        "occurred_to": row.occurred_to.isoformat(),
        "memories": [str(each) for each in row.memory_ids],
        "processor": row.processor,
        "built_at": row.built_at.isoformat(),
    }


def entities(user_id: UUID, vault: Vault, after: UUID | None) -> Page:
    """The next names of speakers, people, places and events."""
    return rows_after(
        Entity.objects.of(user_id),
        after,
        lambda row: {
            "type": "vibe.entity",
            "kind": row.kind,
            "name": vault.open(row.name, address_of(row, "name")),
        },
    )


STORIES = Section("stories", lambda user_id: Story.objects.of(user_id).count(), stories)
ENTITIES = Section("entities", lambda user_id: Entity.objects.of(user_id).count(), entities)
