"""Puts a told story into the database: sealed, blinded, cloaked, its passages and names with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.utils import timezone

from stories import entities
from stories.blinding import array_text, blind_phrases, blind_words, cloaked, speaker_token, vector_text
from stories.models import Passage, SearchSet, Story
from stories.passages import PassageText
from stories.processors.base import Draft, Event
from stories.processors.embedding import Vectors
from stories.providers import embedder, processor_id
from stories.sets import count, hold_search_set, settle_embedder
from stories.sources import Source
from vibe.crypto.fields import address_of
from vibe.crypto.vault import Vault
from vibe.db import bulk
from vibe.db.owned import uuid7

SEALED = ("title", "text", "people", "places", "events")
KEPT = ("id", "user_id", "revision", "created_at", "passage_count", "word_count", *entities.INDEXES.values())


@dataclass(frozen=True, slots=True)
class Told:
    """A story before it is stored: made outside any transaction, since making it may take long."""

    draft: Draft = field(repr=False)
    passages: list[PassageText] = field(repr=False)
    vectors: Vectors = field(repr=False)
    """(1 + passages, dimensions) the story's own first."""


def store(user_id: UUID, source: Source, told: Told, vault: Vault) -> None:
    """Replace the story of a conversation. Its id stays, so that what points to it keeps pointing."""
    search_set = hold_search_set(user_id)
    before = Story.objects.of(user_id).filter(conversation_id=source.conversation_id).only(*KEPT).first()
    story = before or Story(id=uuid7(), user_id=user_id, conversation_id=source.conversation_id, revision=0)
    borne = entities.borne_by(story)
    passages, words = story.passage_count, story.word_count
    fill(story, source, told, vault, search_set)
    story.save(force_insert=before is None)
    gone = drop_passages(user_id, story.pk)
    speakers = insert_passages(story, source, told, vault)
    entities.remember(user_id, vault, names_of(source, told.draft))
    if before:
        whole = len(gone) == passages  # or some went with their memories, and nobody can say who spoke there
        entities.forget_unused(
            user_id, entities.difference({**borne, entities.KIND.SPEAKER: gone}, entities.borne_by(story), speakers)
            if whole else None,
        )  # fmt: skip
    count(search_set, story.passage_count - passages, story.word_count - words)
    settle_embedder(search_set)


def fill(story: Story, source: Source, told: Told, vault: Vault, search_set: SearchSet) -> None:
    """Put a draft into the columns of a story, sealed and blinded, under its next revision."""
    draft = told.draft
    story.revision += 1
    clear = {
        "title": draft.title,
        "text": draft.text,
        "people": json.dumps(draft.people, ensure_ascii=False),
        "places": json.dumps(draft.places, ensure_ascii=False),
        "events": json.dumps([event_values(event) for event in draft.events], ensure_ascii=False),
    }
    for column in SEALED:
        setattr(story, column, vault.seal(clear[column], address_of(story, column)))
    story.people_index = blind_phrases(vault, "person", draft.people)
    story.places_index = blind_phrases(vault, "place", draft.places)
    story.events_index = blind_phrases(vault, "event", [event_line(event) for event in draft.events])
    story.occurred_from, story.occurred_to = draft.occurred_from, draft.occurred_to
    story.memory_ids = [memory.id for memory in source.memories]
    story.passage_count = len(told.passages)
    story.word_count = sum(passage.length for passage in told.passages)
    story.embedding = cloaked(vault, told.vectors[:1])[0]
    story.in_graph = search_set.in_graph
    story.processor, story.embedder = processor_id(), embedder().name
    story.fingerprint = source.fingerprint
    story.built_at = timezone.now()


def insert_passages(story: Story, source: Source, told: Told, vault: Vault) -> set[int]:
    """One row a message, all in one statement. Gives the tokens of who speaks in them."""
    made, size = told.passages, len(told.passages)
    words = blind_words(vault, made)
    speakers = {name: speaker_token(vault, name) for name in {memory.payload.author for memory in source.memories}}
    bulk.insert(
        Passage._meta.db_table,
        {
            "id": ("uuid", [uuid7() for _ in made]),
            "user_id": ("uuid", [story.user_id] * size),
            "story_id": ("uuid", [story.pk] * size),
            "memory_id": ("uuid", [memory.id for memory in source.memories]),
            "memory_revision": ("int4", source.revisions),
            "position": ("int4", [passage.position for passage in made]),
            "speaker": ("int8", [speakers[memory.payload.author] for memory in source.memories]),
            "words": ("text::bigint[]", [array_text(tokens) for tokens in words]),
            "counts": ("text::smallint[]", [array_text(tokens.values()) for tokens in words]),
            "length": ("int4", [passage.length for passage in made]),
            "occurred_at": ("timestamptz", [memory.occurred_at for memory in source.memories]),
            "embedding": ("text::halfvec", [vector_text(vector) for vector in cloaked(vault, told.vectors[1:])]),
            "in_graph": ("bool", [story.in_graph] * size),
        },
    )
    return set(speakers.values())


def drop_passages(user_id: UUID, story_id: UUID) -> list[int]:
    """Delete a story's passages; gives the token of the speaker of each."""
    gone = bulk.run("DELETE FROM passages WHERE user_id = %b AND story_id = %b RETURNING speaker", [user_id, story_id])
    return [speaker for (speaker,) in gone]


def names_of(source: Source, draft: Draft) -> Mapping[str, list[str]]:
    """The names that a story bears, by kind."""
    return {
        entities.KIND.SPEAKER.value: list(source.transcript().participants),
        entities.KIND.PERSON.value: list(draft.people),
        entities.KIND.PLACE.value: list(draft.places),
        entities.KIND.EVENT.value: [event_line(event) for event in draft.events],
    }


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


def event_line(event: Event) -> str:
    """An event as one reads it: who did what."""
    return f"{event.who} {event.what}".strip()
