"""Exchanges the vectors of a person for those of the model that is configured now, while search goes on.

for each story: read → embed, outside any transaction → keep beside. Once every story has them: exchange all at once.

Each story is kept by a transaction of its own, and so are the vectors exchanged. Whatever stops the work, search has
whole vectors of one model, and the next run goes on where this one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from stories.building import next_vectors
from stories.building.corrections import kept
from stories.building.passages import passages
from stories.building.sealed_story import open_draft
from stories.building.sources import Source, fingerprint, hold, read
from stories.index.services import hold_search_set
from stories.models import Passage, SearchSet, Story
from stories.processors.configured import embedder
from stories.processors.embedding import Embedder, Vectors
from stories.processors.fenced import embed_many
from stories.processors.openai_compatible.budget import spending_for
from vibe.core.crypto.vault import Vault
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import VibeError

ROUNDS = 20
"""How often the stories of a person are gone through: new ones may come in while the others are embedded."""


class StillComing(VibeError):
    message = "Stories of the person kept changing while they were embedded. Run it again: what was made is kept."
    code = "still-coming"
    status = 409


@dataclass(slots=True)
class Pace:
    """How fast it may go: texts in one call of the embedder, and texts a second at most (0: as fast as it can)."""

    batch: int = 64
    rate: float = 0.0
    ready_at: float = 0.0

    def embed(self, texts: Sequence[str], model: Embedder) -> Vectors:
        """The vectors of the texts, with waits between the batches."""
        return np.concatenate(
            [self._batch(texts[at : at + self.batch], model) for at in range(0, len(texts), self.batch)]
        )

    def _batch(self, texts: Sequence[str], model: Embedder) -> Vectors:
        time.sleep(max(0.0, self.ready_at - time.monotonic()))
        if self.rate:
            self.ready_at = max(self.ready_at, time.monotonic()) + len(texts) / self.rate
        return embed_many(texts, model)


@dataclass(frozen=True, slots=True)
class Read:
    """A story's texts as they were read."""

    conversation_id: UUID
    fingerprint: str
    revision: int
    texts: list[str] = field(repr=False)
    """The story's own first, then those of its passages. Empty if all it is made of is gone, and soon itself."""
    memories: dict[int, UUID | None]
    """The passages in that order: position and memory."""


def behind() -> list[tuple[UUID, int]]:
    """Who has vectors of another model than the one configured, and how many passages."""
    with as_system():
        sets = SearchSet.objects.filter(passages__gt=0).exclude(embedder=embedder().name)
        return list(sets.order_by("user_id").values_list("user_id", "passages"))


def reembed_person(
    *, user_id: UUID, actor: Actor, pace: Pace | None = None, on_progress: Callable[[int], object] = lambda _: None
) -> bool:
    """Make what is missing of a person's vectors, then exchange them all. Whether they were another model's.

    `on_progress` is told of passages as they are done. Raises EmbedderFailed and TokensSpent with what was made so far
    kept; StillComing if new stories keep coming.
    """
    model, pace = embedder(), pace or Pace()
    for first in (True, *[False] * ROUNDS):
        with as_user(user_id):
            search_set = SearchSet.objects.of(user_id).first()
            if search_set is None or search_set.embedder == model.name:
                return False
            todo = next_vectors.missing(user_id, model.name)
        if first:
            on_progress(search_set.passages - sum(story.passages for story in todo))
        for story in todo:
            if reembed_story(user_id=user_id, story_id=story.id, model=model, pace=pace, actor=actor):
                on_progress(story.passages)
        if exchange(user_id=user_id, model=model, actor=actor):
            return True
    raise StillComing(f"Stories of person {user_id} kept changing while they were embedded. Run it again.")


def reembed_story(*, user_id: UUID, story_id: UUID, model: Embedder, pace: Pace, actor: Actor) -> bool:
    """Keep a story's vectors of a model beside those that are searched. Whether they were kept: it may have changed."""
    with as_user(user_id):
        found = read_story(user_id, story_id, open_vault())
    if found is None:
        return False
    with spending_for(user_id):
        vectors = pace.embed(found.texts or [""], model)
    with as_user(user_id):
        vault = open_vault()
        hold(user_id, found.conversation_id)
        search_set = hold_search_set(user_id)
        story = Story.objects.of(user_id).filter(pk=story_id, revision=found.revision).only("revision", "user").first()
        if story is None or search_set.embedder == model.name:
            return False
        if fingerprint(user_id, found.conversation_id) != found.fingerprint:
            return False
        next_vectors.forget(story)
        next_vectors.keep(story, model.name, found.memories, vectors, vault)
        record(
            actor=actor,
            action="story.reembed",
            subject=user_id,
            resource=f"stories/{story_id}",
            details={"passages": len(found.memories), "embedder": model.name},
        )
    return True


def read_story(user_id: UUID, story_id: UUID, vault: Vault) -> Read | None:
    """What of a story is embedded; None if it is gone."""
    story = Story.objects.of(user_id).filter(pk=story_id).defer("embedding").first()
    if story is None:
        return None
    source = read(user_id, story.conversation_id, vault)
    if source is None:
        return Read(story.conversation_id, "", story.revision, [], {})
    texts = dict(texts_of(story, source, vault))
    rows = Passage.objects.of(user_id).filter(story_id=story_id).order_by("position")
    memories = {at: memory for at, memory in rows.values_list("position", "memory_id") if memory in texts}
    own = open_draft(story, vault).text
    made = [own, *(texts[memory] for memory in memories.values())]
    return Read(source.conversation_id, source.fingerprint, story.revision, made, memories)


def texts_of(story: Story, source: Source, vault: Vault) -> Iterator[tuple[UUID | None, str]]:
    """By memory, the text that is embedded of each passage; by None that of a correction."""
    for memory, passage in zip(source.memories, passages(source.transcript().messages), strict=True):
        yield memory.id, passage.embedded
    correction = kept(story, vault, story.corrected_from)
    for passage in correction.passages() if correction else ():
        yield None, passage.embedded


def exchange(*, user_id: UUID, model: Embedder, actor: Actor) -> bool:
    """Put the next vectors of a person in place of those that are searched, if every story has them. Whether it did."""
    with as_user(user_id):
        hold_search_set(user_id)
        if next_vectors.missing(user_id, model.name):
            return False
        next_vectors.put_in_place(user_id, model.name)
        SearchSet.objects.of(user_id).update(embedder=model.name)
        record(
            actor=actor,
            action="search_set.exchange",
            subject=user_id,
            resource="search_sets",
            details={"embedder": model.name},
        )
    return True
