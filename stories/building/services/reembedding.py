"""Exchanges the vectors of a person for those of the model that is configured now, while search goes on.

for some passages at a time: read → embed, outside any transaction → keep beside. Once all have them: exchange all at
once.

Whatever stops the work, search has whole vectors of one model, and the next run goes on where this one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np
from django.db.models import F

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.index import SaidMemory
from memories.models import Memory
from memories.payload import open_memories
from stories.building.corrections import kept_correction
from stories.index.entries import message_of
from stories.index.pending import make_pending
from stories.models import NextVector, SearchSet, Story
from stories.processors.configured import embedder
from stories.processors.embedding import Embedder, Vectors
from stories.processors.fenced import embed_many
from stories.processors.openai_compatible.budget import spending_for
from stories.sealed_story import open_draft
from stories.text.passages import cloaked, passages
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system, as_user
from vibe.core.db.statements import bulk
from vibe.core.errors import VibeError

ROUNDS: Final = 20
"""How often what is missing is looked for: more may come in while the rest is embedded."""
CHUNK: Final = 256
"""Passages that are read at a time."""
OWN_TEXT, CORRECTION = -1, 0
"""The parts under which the vectors of a story are kept."""

MISSING: Final = (
    "SELECT p.memory_id, p.part, p.memory_revision, p.context FROM passages p WHERE p.user_id = %b "
    "AND p.memory_id IS NOT NULL AND p.length > 0 AND (p.memory_id, p.part) > (%b, %b) AND NOT EXISTS "
    "(SELECT FROM next_vectors v WHERE v.user_id = p.user_id AND v.memory_id = p.memory_id AND v.part = p.part "
    "AND v.revision = p.memory_revision AND v.embedder = %b) ORDER BY p.memory_id, p.part LIMIT %b"
)
MISSING_STORIES: Final = (
    "SELECT s.id FROM stories s WHERE s.user_id = %b AND s.text IS NOT NULL AND NOT EXISTS "
    "(SELECT FROM next_vectors v WHERE v.user_id = s.user_id AND v.story_id = s.id AND v.part = -1 "
    "AND v.revision = s.revision AND v.embedder = %b) ORDER BY s.id"
)
PUT_IN_PLACE: Final = (
    "UPDATE passages SET model = %b, embedding = (SELECT v.embedding FROM next_vectors v "
    "WHERE v.user_id = passages.user_id AND v.memory_id = passages.memory_id AND v.part = passages.part "
    "AND v.revision = passages.memory_revision AND v.embedder = %b) WHERE user_id = %b AND memory_id IS NOT NULL"
)
PUT_CORRECTIONS_IN_PLACE: Final = (
    "UPDATE passages SET model = %b, embedding = (SELECT v.embedding FROM next_vectors v "
    "WHERE v.user_id = passages.user_id AND v.story_id = passages.story_id AND v.part = 0 AND v.embedder = %b) "
    "WHERE user_id = %b AND memory_id IS NULL"
)
PUT_STORIES_IN_PLACE: Final = (
    "UPDATE stories SET embedder = %b, embedding = (SELECT v.embedding FROM next_vectors v "
    "WHERE v.user_id = stories.user_id AND v.story_id = stories.id AND v.part = -1 AND v.embedder = %b) "
    "WHERE user_id = %b"
)
STRAY: Final = "SELECT DISTINCT memory_id FROM passages WHERE user_id = %b AND memory_id IS NOT NULL AND model <> %b"
NOTHING: Final = UUID(int=0)


class StillComing(VibeError):
    message = "Memories of the person kept coming while they were embedded. Run it again: what was made is kept."
    code = "still-coming"
    status = 409


@dataclass(slots=True)
class Pace:
    """How fast it may go: texts in one call of the embedder, and texts a second at most (0: as fast as it can)."""

    batch: int = 64
    rate: float = 0.0
    ready_at: float = 0.0

    def embed(self, texts: Sequence[str], model: Embedder) -> Vectors:
        """Return the vectors of the texts, with waits between the batches."""
        return np.concatenate(
            [self._batch(texts[at : at + self.batch], model) for at in range(0, len(texts), self.batch)]
        )

    def _batch(self, texts: Sequence[str], model: Embedder) -> Vectors:
        time.sleep(max(0.0, self.ready_at - time.monotonic()))
        if self.rate:
            self.ready_at = max(self.ready_at, time.monotonic()) + len(texts) / self.rate
        return embed_many(texts, model)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A vector to be made: of a part of a memory, or of a story, at a revision."""

    part: int
    revision: int
    text: str = field(repr=False)
    memory_id: UUID | None = None
    story_id: UUID | None = None


def behind() -> list[tuple[UUID, int]]:
    """Return who has vectors of another model than the one configured, and how many passages; nobody restricted."""
    with as_system():
        sets = SearchSet.objects.exclude(embedder=embedder().name).filter(user__restricted_at=None)
        return list(sets.order_by("user_id").values_list("user_id", "passages"))


def reembed_person(
    *, user_id: UUID, actor: Actor, pace: Pace | None = None, on_progress: Callable[[int], object] = lambda _: None
) -> bool:
    """Make what is missing of a person's vectors, then exchange them all. Return whether they were another model's.

    `on_progress` is called with the number of passages of each step. Raises EmbedderFailed and TokensSpent with what
    was made so far kept; StillComing if new memories keep coming.
    """
    model, pace = embedder(), pace or Pace()
    for _ in range(ROUNDS):
        with as_user(user_id):
            search_set = SearchSet.objects.of(user_id).first()
            if search_set is None or search_set.embedder == model.name:
                return False
        for count in make_missing(user_id, model, pace, actor=actor):
            on_progress(count)
        if exchange(user_id=user_id, model=model, actor=actor):
            return True
    raise StillComing(f"Memories of person {user_id} kept coming while they were embedded. Run it again.")


def make_missing(user_id: UUID, model: Embedder, pace: Pace, *, actor: Actor) -> Iterator[int]:
    """Make the vectors that a person lacks, some at a time; gives how many passages each time."""
    after: tuple[UUID, int] = (NOTHING, 0)
    while True:
        with as_user(user_id):
            rows = bulk.run(MISSING, [user_id, *after, model.name, CHUNK])
            wanted = list(of_memories(user_id, rows, open_vault(to_process=True))) if rows else []
        if not rows:
            break
        after = rows[-1][0], rows[-1][1]
        keep(user_id, wanted, model, pace, actor=actor)
        yield len(rows)
    with as_user(user_id):
        ids = [row_id for (row_id,) in bulk.run(MISSING_STORIES, [user_id, model.name])]
    for at in range(0, len(ids), CHUNK):
        with as_user(user_id):
            wanted = list(of_stories(user_id, ids[at : at + CHUNK], open_vault(to_process=True)))
        keep(user_id, wanted, model, pace, actor=actor)


def of_memories(user_id: UUID, rows: Sequence[tuple[UUID, int, int, UUID | None]], vault: Vault) -> Iterator[Wanted]:
    """Give what is to be embedded of passages, given as memory, part, revision and context."""
    ids = {each for memory_id, _, _, context in rows for each in (memory_id, context) if each}
    found = list(Memory.objects.of(user_id).filter(pk__in=ids))
    said = {
        row.pk: SaidMemory.of(row, memory.payload)
        for row, memory in zip(found, open_memories(found, vault), strict=True)
    }
    for memory_id, part, revision, context in rows:
        memory, before = said[memory_id], said.get(context) if context else None
        texts = passages(message_of(memory), message_of(before) if before else None)
        if memory.revision == revision and part < len(texts):
            yield Wanted(part, revision, texts[part].embedded, memory_id=memory_id)


def of_stories(user_id: UUID, ids: Sequence[UUID], vault: Vault) -> Iterator[Wanted]:
    """Give what is to be embedded of stories: their text, and what was corrected in them."""
    for story in Story.objects.of(user_id).filter(pk__in=ids).defer("embedding"):
        yield Wanted(OWN_TEXT, story.revision, open_draft(story, vault).text, story_id=story.pk)
        correction = kept_correction(story, vault, story.corrected_from)
        passage = correction.passage() if correction else None
        if passage:
            yield Wanted(CORRECTION, story.revision, passage.embedded, story_id=story.pk)


def keep(user_id: UUID, wanted: Sequence[Wanted], model: Embedder, pace: Pace, *, actor: Actor) -> None:
    """Embed, outside any transaction, and keep beside; what changed meanwhile is left out."""
    if not wanted:
        return
    with spending_for(user_id):
        vectors = pace.embed([each.text for each in wanted], model)
    with as_user(user_id):
        made = list(zip(wanted, cloaked(open_vault(to_process=True), vectors), strict=True))
        ids = {each.memory_id or each.story_id for each in wanted}
        there = dict(Memory.objects.of(user_id).filter(pk__in=ids).values_list("pk", "revision"))
        there |= dict(Story.objects.of(user_id).filter(pk__in=ids).values_list("pk", "revision"))
        made = [(each, vector) for each, vector in made if there.get(each.memory_id or each.story_id) == each.revision]  # type: ignore[arg-type]
        for column in ("memory_id", "story_id"):
            some = [(each, vector) for each, vector in made if getattr(each, column)]
            insert(user_id, column, some, model.name)
        record(
            actor=actor,
            action="vectors.keep",
            subject=user_id,
            resource="next_vectors",
            details={"vectors": len(made), "embedder": model.name},
        )


def insert(user_id: UUID, column: str, made: Sequence[tuple[Wanted, object]], embedder_name: str) -> None:
    """Insert next vectors, in place of those of another model or revision."""
    if not made:
        return
    ids = [getattr(each, column) for each, _ in made]
    NextVector.objects.of(user_id).filter(**{f"{column}__in": ids}).exclude(embedder=embedder_name).delete()
    bulk.insert(
        NextVector._meta.db_table,
        {
            "id": ("uuid", [uuid7() for _ in made]),
            column: ("uuid", ids),
            "part": ("int2", [each.part for each, _ in made]),
            "revision": ("int4", [each.revision for each, _ in made]),
            "embedding": ("halfvec", [vector for _, vector in made]),
        },
        same={"user_id": ("uuid", user_id), "embedder": ("text", embedder_name)},
        tail=f"ON CONFLICT (user_id, {column}, part) DO NOTHING",
    )


def exchange(*, user_id: UUID, model: Embedder, actor: Actor) -> bool:
    """Put the next vectors of a person in place of those that are searched, if all are there. Return whether it did.

    Memories may be added meanwhile. What comes in under the model before is searched by words until a job embeds it.
    """
    with as_user(user_id):
        search_set = SearchSet.objects.of(user_id).select_for_update(no_key=True).get()
        lacking = bulk.run(MISSING, [user_id, NOTHING, 0, model.name, 1])
        if lacking or bulk.run(MISSING_STORIES, [user_id, model.name]):
            return False
        number = search_set.model + 1
        bulk.run(PUT_IN_PLACE, [number, model.name, user_id])
        bulk.run(PUT_CORRECTIONS_IN_PLACE, [number, model.name, user_id])
        bulk.run(PUT_STORIES_IN_PLACE, [model.name, model.name, user_id])
        NextVector.objects.of(user_id).delete()
        SearchSet.objects.of(user_id).update(embedder=model.name, model=F("model") + 1)
        record(
            actor=actor,
            action="search_set.exchange",
            subject=user_id,
            resource="search_sets",
            details={"embedder": model.name},
        )
    with as_user(user_id):
        make_pending(user_id, [row_id for (row_id,) in bulk.run(STRAY, [user_id, number])])
    return True
