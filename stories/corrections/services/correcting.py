"""A person corrects or deletes a story.

The words of a correction stand in the story from then on, and it is found by them. With a deleted story, what was made
of the episode goes; what was said stays and is found.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.storage import Storing
from stories.building.corrections import LONGEST, SEARCHED, Changes, KeptCorrection, check_events
from stories.building.sources import hold_story, members, story_at
from stories.building.storing import names_of, replace_correction
from stories.entities import services as entities
from stories.index.services import add_counts, count_story
from stories.models import NextVector, Passage, SearchSet, Story
from stories.processors.configured import EmbedderFailed, embed, embedder_named
from stories.processors.embedding import Vectors
from stories.processors.openai_compatible.budget import spending_for
from stories.processors.openai_compatible.errors import TokensSpent
from stories.sealed_story import COLUMNS, open_draft, seal_draft
from stories.text.passages import PassageText, cloaked
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import Versions, require_version
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import execute_batch
from vibe.core.errors import VibeError

logger = logging.getLogger(__name__)
ATTEMPTS = 5
WRITTEN = (
    *COLUMNS,
    *entities.INDEXES.values(),
    *("corrected", "corrected_from", "corrected_at", "revision", "passage_count", "word_count", "due_at"),
)


class StillChanging(VibeError):
    message = "The story kept changing while it was corrected. Correct it again."
    code = "still-changing"
    status = 409


@dataclass(frozen=True, slots=True)
class Correction:
    """A story with its corrections, ready to be written."""

    revision: int
    """The revision of the story that was read."""
    kept: KeptCorrection
    new_text: bool
    searched: bool
    """Whether the words that search compares have changed."""
    passage: PassageText | None = field(repr=False)
    """What search compares of the corrected title and text."""

    @property
    def texts(self) -> list[str]:
        """Return the texts to embed: the story's text if it is new, then its passage if that is new."""
        own = [self.kept.draft.text] if self.new_text else []
        return own + ([self.passage.embedded] if self.searched and self.passage else [])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A correction before it is stored. It is embedded outside any transaction, because that may take seconds."""

    user_id: UUID
    story_id: UUID
    fields: tuple[str, ...]
    correction: Correction
    model: str
    """The model of the person's vectors when it was embedded."""
    vectors: Vectors | None = field(repr=False)


def correct_story(
    *, user_id: UUID, story_id: UUID, changes: Changes, actor: Actor, expected: Versions | None = None
) -> int:
    """Replace fields of a story by the person's words, which stay when it is rebuilt. Return its new revision.

    Without vectors, the words are stored and found at once, and a job adds the vectors. Raises NotFound;
    InputError; Outdated if a version is expected and the story is at another; StillChanging if it changes every time.
    """
    for _ in range(ATTEMPTS):
        prepared = prepare_correction(user_id=user_id, story_id=story_id, changes=changes, expected=expected)
        try:
            return store_correction(prepared=prepared, actor=actor, expected=expected)
        except StillChanging:
            continue
    raise still_changing(story_id)


def prepare_correction(
    *, user_id: UUID, story_id: UUID, changes: Changes, expected: Versions | None = None
) -> Prepared:
    """Return what a correction needs before anything is written: the story as it is, and vectors.

    Embedding runs in no transaction. A service may take seconds, and no snapshot or lock should wait for it.
    """
    given = changes.given()
    with as_user(user_id):
        story = story_at(user_id, story_id)
        require_version(story, expected)
        correction = build_correction(story, open_vault(to_process=True), given, timezone.now())
        model = SearchSet.objects.of(user_id).values_list("embedder", flat=True).first() or ""
    return Prepared(user_id, story_id, tuple(sorted(given)), correction, model, vectors_of(user_id, correction, model))


def store_correction(*, prepared: Prepared, actor: Actor, expected: Versions | None = None) -> int:
    """Store a correction if its story is unchanged. Return the revision. Raises NotFound, Outdated, StillChanging."""
    user_id, story_id = prepared.user_id, prepared.story_id
    with as_user(user_id):
        # Open the keys again: nothing may be sealed under one that was destroyed meanwhile.
        vault = open_vault(to_process=True)
        story = hold_story(user_id, story_id)
        search_set = SearchSet.objects.of(user_id).get()
        require_version(story, expected)
        if (story.revision, search_set.embedder) != (prepared.correction.revision, prepared.model):
            raise still_changing(story_id)
        write_correction(search_set, story, prepared.correction, prepared.vectors, vault)
        record(
            actor=actor,
            action="story.correct",
            subject=user_id,
            resource=f"stories/{story_id}",
            details={"fields": list(prepared.fields), "revision": story.revision},
        )
    return story.revision


def still_changing(story_id: UUID) -> StillChanging:
    """Return the error of a story that was built or corrected between being read and being written."""
    return StillChanging(f"Story {story_id} kept changing while it was corrected. Correct it again.")


def build_correction(story: Story, vault: Vault, given: dict[str, Any], now: datetime) -> Correction:
    """Return the story with the changes. Raises InputError for an event of a memory that is not of the story."""
    made_from = frozenset({*story.corrected_from, *members(story.user_id, story.pk)})
    check_events(given.get("events", ()), made_from)
    names = tuple(name for name in LONGEST if name in {*story.corrected, *given})
    kept = KeptCorrection(names, made_from, now, replace(open_draft(story, vault), **given))
    searched = bool(given.keys() & SEARCHED)
    return Correction(story.revision, kept, "text" in given, searched, kept.passage())


def vectors_of(user_id: UUID, correction: Correction, embedder: str) -> Vectors | None:
    """Return the vectors of a correction by the named model; None if the model is not available now."""
    if not correction.texts:
        return np.zeros((0, 0), dtype=np.float32)
    model = embedder_named(embedder)
    if model is None:
        return None
    try:
        with spending_for(user_id):
            return embed(correction.texts, model)
    except (EmbedderFailed, TokensSpent) as problem:
        logger.warning("A correction is stored without vectors, which a job will add. %s", problem)
        return None


def write_correction(
    search_set: SearchSet, story: Story, correction: Correction, vectors: Vectors | None, vault: Vault
) -> None:
    """Seal the corrected story under its next revision, with its names and passage. Without vectors, a job makes them.

    What the person wrote counts as written today. Raises StorageFull and StorageDayFull.
    """
    borne = entities.borne_by(story)
    said = {column for column in COLUMNS if getattr(story, column) is not None}  # it may not be built yet
    seal_draft(story, correction.kept.draft, vault, only={*said, *correction.kept.fields})
    storing = Storing(
        story.user_id, day_bytes=sum(len(getattr(story, name).ciphertext) for name in correction.kept.fields)
    )
    [totals] = execute_batch(*storing.statements())
    storing.require_room(totals)
    story.corrected, story.corrected_at = list(correction.kept.fields), correction.kept.at
    story.corrected_from = list(correction.kept.made_from)
    written = [*WRITTEN]
    if correction.new_text:
        story.embedding = None if vectors is None else cloaked(vault, vectors[:1])[0]
        written.append("embedding")
    if vectors is None:
        story.due_at = timezone.now()
    if correction.searched:
        vector = None if vectors is None else cloaked(vault, vectors[-1:])[0]
        replace_correction(story, correction.passage, vector, search_set, vault)
        count_story(story)
    story.save(update_fields=written)
    entities.remember(story.user_id, vault, names_of(correction.kept.draft))
    entities.forget_unused(story.user_id, entities.difference(borne, entities.borne_by(story), set()))
    NextVector.objects.of(story.user_id).filter(story_id=story.pk).delete()


def delete_story(*, user_id: UUID, story_id: UUID, actor: Actor, expected: Versions | None = None) -> None:
    """Delete a story, and the names that no other story has. Raises NotFound and Outdated.

    Its memories stay and are found by search. They enter no other story.
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
