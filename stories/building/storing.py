"""Puts a told story into the database: sealed, blinded, cloaked, its passages and names with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from memories.payload import OpenedMemory
from stories.building import next_vectors
from stories.building.blinding import array_text, blind_words, cloaked, speaker_token
from stories.building.passages import PassageText
from stories.building.sealed_story import event_line, seal_draft
from stories.building.sources import Source
from stories.entities import services as entities
from stories.index.services import begin_with, count
from stories.models import Passage, SearchSet, Story
from stories.processors.base import Draft
from stories.processors.configured import processor_id
from stories.processors.embedding import Vectors
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements import bulk

KEPT = ("id", "user_id", "revision", "created_at", "passage_count", "word_count", *entities.INDEXES.values())
NOBODY = ""
"""Who speaks in the passage of a correction."""


@dataclass(frozen=True, slots=True)
class Told:
    """A story before it is stored: made outside any transaction, since making it may take long."""

    draft: Draft = field(repr=False)
    passages: list[PassageText] = field(repr=False)
    """One a memory, in the order of the source; after them that of a correction, if there is one."""
    vectors: Vectors = field(repr=False)
    """(1 + passages, dimensions) the story's own first."""
    embedder: str
    """The model that made them."""


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to insert: of a memory at a revision, or of a correction, which nobody said."""

    text: PassageText = field(repr=False)
    vector: NDArray[np.float32] = field(repr=False)
    occurred_at: datetime
    memory_id: UUID | None = None
    memory_revision: int = 1
    author: str = field(default=NOBODY, repr=False)


def store(search_set: SearchSet, source: Source, told: Told, vault: Vault) -> None:
    """Replace the story of a conversation, under a search set that is held. Its id stays, and what points to it.

    Vectors of another model than the set's are not put where they would be compared, but beside: see next_vectors.
    """
    user_id = search_set.user_id
    begin_with(search_set, told.embedder)
    comparable = told.embedder == search_set.embedder
    before = Story.objects.of(user_id).filter(conversation_id=source.conversation_id).only(*KEPT).first()
    story = before or Story(id=uuid7(), user_id=user_id, conversation_id=source.conversation_id, revision=0)
    borne = entities.borne_by(story)
    passages, words = story.passage_count, story.word_count
    fill(story, source, told, vault)
    story.in_graph = search_set.in_graph
    story.embedder = told.embedder if comparable else ""
    story.embedding = cloaked(vault, told.vectors[:1])[0] if comparable else None
    story.save(force_insert=before is None)
    gone = drop_passages(user_id, story.pk)
    made = list(new_passages(source, told))
    speakers = insert_passages(story, made, vault, comparable=comparable)
    next_vectors.forget(story)
    if not comparable:
        memories = {each.text.position: each.memory_id for each in made}
        next_vectors.keep(story, told.embedder, memories, told.vectors, vault)
    entities.remember(user_id, vault, {**speakers_of(source), **names_of(told.draft)})
    if before:
        whole = len(gone) == passages  # or some went with their memories, and nobody can say who spoke there
        entities.forget_unused(
            user_id, entities.difference({**borne, entities.KIND.SPEAKER: gone}, entities.borne_by(story), speakers)
            if whole else None,
        )  # fmt: skip
    count(search_set, story.passage_count - passages, story.word_count - words)


def fill(story: Story, source: Source, told: Told, vault: Vault) -> None:
    """Put what was told into the columns of a story."""
    seal_draft(story, told.draft, vault)
    story.memory_ids = [memory.id for memory in source.memories]
    story.passage_count = len(told.passages)
    story.word_count = sum(passage.length for passage in told.passages)
    story.processor = processor_id()
    story.fingerprint = source.fingerprint
    story.corrected = list(source.kept.fields) if source.kept else []
    story.corrected_from = list(source.kept.made_from) if source.kept else []
    story.corrected_at = source.kept.at if source.kept else None
    story.built_at = timezone.now()


def new_passages(source: Source, told: Told) -> Iterator[NewPassage]:
    """The passages of a source as they were told."""
    spoken = len(source.memories)
    made = zip(told.passages[:spoken], told.vectors[1:], source.memories, source.revisions, strict=False)
    for text, vector, memory, revision in made:
        yield said(text, vector, memory, revision)
    for text, vector in zip(told.passages[spoken:], told.vectors[1 + spoken :], strict=True):
        yield NewPassage(text, vector, told.draft.occurred_from)


def said(text: PassageText, vector: NDArray[np.float32], memory: OpenedMemory, revision: int) -> NewPassage:
    """The passage of a memory."""
    return NewPassage(text, vector, memory.occurred_at, memory.id, revision, memory.payload.author)


def insert_passages(story: Story, made: Sequence[NewPassage], vault: Vault, *, comparable: bool = True) -> set[int]:
    """All in one statement, without vectors unless they are comparable. Gives the tokens of who speaks in them."""
    size = len(made)
    words = blind_words(vault, [each.text for each in made])
    speakers = {name: speaker_token(vault, name) for name in {each.author for each in made}}
    vectors = cloaked(vault, np.stack([each.vector for each in made])) if made and comparable else [None] * size
    bulk.insert(
        Passage._meta.db_table,
        {
            "id": ("uuid", [uuid7() for _ in made]),
            "user_id": ("uuid", [story.user_id] * size),
            "story_id": ("uuid", [story.pk] * size),
            "memory_id": ("uuid", [each.memory_id for each in made]),
            "memory_revision": ("int4", [each.memory_revision for each in made]),
            "position": ("int4", [each.text.position for each in made]),
            "speaker": ("int8", [speakers[each.author] for each in made]),
            "words": ("text::bigint[]", [array_text(tokens) for tokens in words]),
            "counts": ("text::smallint[]", [array_text(tokens.values()) for tokens in words]),
            "length": ("int4", [each.text.length for each in made]),
            "occurred_at": ("timestamptz", [each.occurred_at for each in made]),
            "embedding": ("halfvec", vectors),
            "in_graph": ("bool", [story.in_graph] * size),
        },
    )
    return set(speakers.values())


def drop_passages(user_id: UUID, story_id: UUID) -> list[int]:
    """Delete a story's passages; gives the token of the speaker of each."""
    gone = bulk.run("DELETE FROM passages WHERE user_id = %b AND story_id = %b RETURNING speaker", [user_id, story_id])
    return [speaker for (speaker,) in gone]


def speakers_of(source: Source) -> Mapping[str, list[str]]:
    """Under which names people speak in a source."""
    return {entities.KIND.SPEAKER.value: list(source.transcript().participants)}


def names_of(draft: Draft) -> Mapping[str, list[str]]:
    """The names that a story bears, by kind, without its speakers."""
    return {
        entities.KIND.PERSON.value: list(draft.people),
        entities.KIND.PLACE.value: list(draft.places),
        entities.KIND.EVENT.value: [event_line(event) for event in draft.events],
    }
