"""The five sealed columns of a story and their blind indexes: written from a draft, opened to one."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from typing import Any

from stories.models import Story
from stories.processors.base import Draft, Event
from stories.text.passages import blind_phrases
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault

COLUMNS = ("title", "text", "people", "places", "events")


def seal_draft(story: Story, draft: Draft, vault: Vault, *, only: Collection[str] = COLUMNS) -> None:
    """Put a draft into the columns of a story, sealed and blinded, under its next revision; all but `only` are emptied.

    All are sealed again, since each is bound to the revision of its row.
    """
    story.revision += 1
    clear = {
        "title": draft.title,
        "text": draft.text,
        "people": json.dumps(draft.people, ensure_ascii=False),
        "places": json.dumps(draft.places, ensure_ascii=False),
        "events": json.dumps([event_values(event) for event in draft.events], ensure_ascii=False),
    }
    for column in COLUMNS:
        setattr(story, column, vault.seal(clear[column], address_of(story, column)) if column in only else None)
    people, places, events = (name in only for name in ("people", "places", "events"))
    story.people_index = blind_phrases(vault, "person", draft.people if people else ())
    story.places_index = blind_phrases(vault, "place", draft.places if places else ())
    story.events_index = blind_phrases(vault, "event", map(event_line, draft.events) if events else ())


def open_draft(story: Story, vault: Vault) -> Draft:
    """Return what a story says, empty where it is not built.

    Raises a SealError that names the column that does not open.
    """
    clear = {
        column: "" if (sealed := getattr(story, column)) is None else vault.open(sealed, address_of(story, column))
        for column in COLUMNS
    }
    return Draft(
        title=clear["title"],
        text=clear["text"],
        people=tuple(json.loads(clear["people"] or "[]")),
        places=tuple(json.loads(clear["places"] or "[]")),
        events=tuple(map(event_of, json.loads(clear["events"] or "[]"))),
        occurred_from=story.occurred_from,
        occurred_to=story.occurred_to,
    )


def event_values(event: Event) -> dict[str, str | None]:
    """An event as it is sealed."""
    when = event.when.isoformat() if event.when else None
    return {
        "who": event.who,
        "what": event.what,
        "when": when,
        "precision": event.precision,
        "memory": event.message_id,
    }


def event_of(values: dict[str, Any]) -> Event:
    """An event as it was before it was sealed."""
    when = date.fromisoformat(values["when"]) if values["when"] else None
    return Event(values["who"], values["what"], when, values["precision"], values["memory"])


def event_line(event: Event) -> str:
    """An event as one reads it: who did what."""
    return f"{event.who} {event.what}".strip()
