"""Puts a built story into the database: sealed, blinded, cloaked, its names with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings
from django.utils import timezone
from numpy.typing import NDArray
from pgvector import HalfVector

from stories.building.sources import Source
from stories.entities import services as entities
from stories.facts.proposed import replace_proposed, statements_of
from stories.index.dividing import closing_at
from stories.index.entries import FORM
from stories.index.services import count_story
from stories.models import NextVector, Passage, SearchSet, Story
from stories.processors.base import Draft
from stories.processors.configured import processor_id
from stories.sealed_story import COLUMNS, event_line, seal_draft
from stories.signals import facts_left_out
from stories.text.passages import PassageText, array_text, blind_words, cloaked, length_class, speaker_token
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements import bulk

NOBODY = ""
"""Who speaks in the passage of a correction."""
WRITTEN = (
    *COLUMNS,
    *entities.INDEXES.values(),
    *("revision", "embedding", "memory_ids", "passage_count", "word_count", "processor", "embedder", "in_graph"),
    *("corrected", "corrected_from", "corrected_at", "built_at", "due_at", "tries", "failure"),
)


@dataclass(frozen=True, slots=True)
class BuiltStory:
    """A story before it is stored: made outside any transaction, since making it may take long."""

    draft: Draft = field(repr=False)
    correction: PassageText | None = field(repr=False)
    """What a corrected title or text is found by."""
    vectors: NDArray[np.float32] = field(repr=False)
    """(1 or 2, dimensions) the story's own first, then that of its correction."""
    embedder: str
    """The model that made them."""


def store(story: Story, search_set: SearchSet, source: Source, built: BuiltStory, vault: Vault) -> None:
    """Write what was built into a story, which is locked. Its id stays, and what points to it.

    Vectors of another model than the set's are left out: `reembedding` makes those.
    """
    comparable = built.embedder == search_set.embedder
    borne = entities.borne_by(story)
    seal_draft(story, built.draft, vault)
    story.memory_ids = list(source.revisions)
    story.processor, story.embedder = processor_id(), built.embedder if comparable else ""
    story.embedding = cloaked(vault, built.vectors[:1])[0] if comparable else None
    story.in_graph = search_set.in_graph
    story.corrected = list(source.kept.fields) if source.kept else []
    story.corrected_from = list(source.kept.made_from) if source.kept else []
    story.corrected_at = source.kept.at if source.kept else None
    story.built_at, story.tries, story.failure = timezone.now(), 0, ""
    story.due_at = due_again(story, len(source.revisions))
    vector = cloaked(vault, built.vectors[1:])[0] if comparable and built.correction else None
    replace_correction(story, built.correction, vector, search_set, vault)
    count_story(story)
    story.save(update_fields=WRITTEN)
    NextVector.objects.of(story.user_id).filter(story_id=story.pk).delete()
    stated = statements_of(built.draft.facts, source.memories, story.processor)
    replace_proposed(story.user_id, vault, list(source.revisions), stated)
    facts_left_out.send(None, unfounded=built.draft.unfounded, unfit=len(built.draft.facts) - len(stated))
    entities.remember(story.user_id, vault, names_of(built.draft))
    entities.forget_unused(story.user_id, entities.difference(borne, entities.borne_by(story), set()))


def due_again(story: Story, built: int) -> datetime | None:
    """Return when a story that was built now, of so many memories, is to be built again.

    An open one at its closing, unless more is said: see stories.index.entries. A closed one only if it has others.
    """
    if story.is_open:
        return closing_at(story)
    more = story.memory_count > built
    return timezone.now() + timedelta(seconds=settings.STORY_QUIET_SECONDS) if more else None


def replace_correction(
    story: Story, text: PassageText | None, vector: HalfVector | None, search_set: SearchSet, vault: Vault
) -> None:
    """Put the passage of a correction in place of the one before; without a vector it is found by words."""
    Passage.objects.of(story.user_id).filter(story_id=story.pk, memory_id=None).delete()
    if text is None:
        return
    [tokens] = blind_words(vault, [text])
    bulk.insert(
        Passage._meta.db_table,
        {
            "id": ("uuid", [uuid7()]),
            "words": ("text::bigint[]", [array_text(tokens)]),
            "length": ("int4", [length_class(text.length)]),
            "embedding": ("halfvec", [vector]),
            "speaker": ("int8", [speaker_token(vault, NOBODY)]),
        },
        same={
            "user_id": ("uuid", story.user_id),
            "conversation_id": ("uuid", story.conversation_id),
            "story_id": ("uuid", story.pk),
            "memory_revision": ("int4", 1),
            "part": ("int2", 0),
            "role": ("text", "other"),
            "occurred_at": ("timestamptz", story.occurred_from),
            "model": ("int2", search_set.model),
            "form": ("int2", FORM),
            "in_graph": ("bool", False),
        },
    )


def names_of(draft: Draft) -> Mapping[str, list[str]]:
    """Return the names that a story bears, by kind."""
    return {
        entities.KIND.PERSON.value: list(draft.people),
        entities.KIND.PLACE.value: list(draft.places),
        entities.KIND.EVENT.value: [event_line(event) for event in draft.events],
    }
