"""Stories and the names in them, in an export. An import builds them again, and brings back what was corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.export.sections import Line, Page, Section, rows_after
from memories.models import Memory
from stories.facts.services.reading import open_facts
from stories.facts.statements import Kind
from stories.facts.storing import open_statements, read_statements
from stories.facts.timeline import Fact
from stories.models import Entity, Story
from stories.models import Fact as FactRow
from stories.sealed_story import event_values, open_draft
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements.batching import execute_batch

# What search alone needs, sealed apart or blind: no person can read it.
UNREAD = ("embedding", "people_index", "places_index", "events_index")


def stories_of(user_id: UUID, companion: int | None) -> QuerySet[Story]:
    """A person's stories, of all or of the conversations with one companion."""
    rows = Story.objects.of(user_id)
    return rows if companion is None else rows.filter(conversation__companion_token=companion)


def stories(user_id: UUID, vault: Vault, after: UUID | None, companion: int | None = None) -> Page:
    """The next stories, opened."""
    rows = stories_of(user_id, companion).select_related("conversation").defer(*UNREAD)
    return rows_after(rows, after, lambda row: story_line(row, vault))


def story_line(row: Any, vault: Vault) -> Line:
    """One story, with what it was told from, and which fields stand as the person corrected them."""
    story, names = open_draft(row, vault), message_names(row)
    return {
        "type": "vibe.story",
        "id": str(row.pk),
        "conversation": row.conversation.external_id or str(row.conversation_id),
        "title": story.title if row.title is not None else None,
        "text": story.text if row.text is not None else None,
        "people": list(story.people),
        "places": list(story.places),
        "events": [event_values(each) | {"message": names.get(each.message_id)} for each in story.events],
        "occurred_from": row.occurred_from.isoformat(),
        "occurred_to": row.occurred_to.isoformat(),
        "memories": [str(each) for each in row.memory_ids],
        "corrected": list(row.corrected),
        "corrected_at": row.corrected_at and row.corrected_at.isoformat(),
        "corrected_from": [names.get(str(each), str(each)) for each in row.corrected_from],
        "processor": row.processor,
        "built_at": row.built_at and row.built_at.isoformat(),
    }


def message_names(story: Story) -> dict[str, str]:
    """Of a corrected story: under which id each message went, by the id of its memory, which is another elsewhere."""
    if not story.corrected:
        return {}
    rows = Memory.objects.of(story.user_id).filter(pk__in={*story.corrected_from, *story.memory_ids})
    return {str(row_id): (names or [str(row_id)])[0] for row_id, names in rows.values_list("pk", "message_ids")}


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


def facts(user_id: UUID, vault: Vault, after: UUID | None, companion: int | None = None) -> Page:  # noqa: ARG001
    """All facts, those too that have ended, and marks of what is forgotten, which have no value.

    All are worked out together. Of one companion, marks are left out: nothing was forgotten before it.
    """
    [rows] = execute_batch(read_statements(user_id, companion))
    found = open_facts(vault, rows, companion)
    known = open_statements(vault, rows) if companion is None else []
    marks = [each for each in known if each.statement.kind is Kind.FORGOTTEN]
    read_in = chain(*(fact.said_in for fact in found), *(mark.statement.memories for mark in marks))
    named = places_of(user_id, {*read_in})
    lines = [fact_line(fact, named) for fact in found]
    lines += [
        {
            "type": "vibe.fact",
            "subject": each.statement.subject,
            "attribute": each.statement.attribute,
            "forgotten_at": each.source.said_at.isoformat(),
            "valid_from": each.statement.since and each.statement.since.isoformat(),
            "said_in": [named[memory] for memory in each.statement.memories if memory in named],
        }
        for each in marks
    ]
    return Page(lines, len(rows))


def fact_line(fact: Fact, named: Mapping[str, dict[str, str]]) -> Line:
    """One fact, with the messages that it was read in."""
    own = [source.said_at for source in fact.sources if source.memory_id is None]
    return {
        "type": "vibe.fact",
        "subject": fact.subject,
        "attribute": fact.attribute,
        "value": fact.value,
        "valid_from": fact.valid_from and fact.valid_from.isoformat(),
        "valid_to": fact.valid_to and fact.valid_to.isoformat(),
        "day": fact.day and fact.day.isoformat(),
        "learned_at": fact.learned_at.isoformat(),
        "corrected_at": own[-1].isoformat() if own else None,
        "said_in": [named[memory] for memory in sorted(fact.said_in) if memory in named],
    }


def places_of(user_id: UUID, memory_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return under which conversation and message memories stand in this export, by their ids."""
    rows = Memory.objects.of(user_id).filter(pk__in=list(memory_ids)).select_related("conversation")
    return {
        str(row.pk): {
            "conversation": row.conversation.external_id or str(row.conversation_id),
            "message": (row.message_ids or [str(row.pk)])[0],
        }
        for row in rows.defer("payload")
    }


def count_facts(user_id: UUID, companion: int | None = None) -> int:
    """How many statements are read."""
    rows = FactRow.objects.of(user_id)
    return (rows if companion is None else rows.filter(memory__conversation__companion_token=companion)).count()


def count_stories(user_id: UUID, companion: int | None = None) -> int:
    """How many stories there are."""
    return stories_of(user_id, companion).count()


FACTS = Section("facts", count_facts, facts, keeps_to_companion=True)
STORIES = Section("stories", count_stories, stories, keeps_to_companion=True)
ENTITIES = Section("entities", lambda user_id: Entity.objects.of(user_id).count(), entities)
