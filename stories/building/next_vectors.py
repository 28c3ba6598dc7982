"""The vectors of another model, kept beside those that are searched until all of a person's are there.

Search knows nothing of them. A story's are good for one revision of it: whoever changes the story drops them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from stories.building.blinding import cloaked
from stories.models import NextVector, Story
from stories.processors.embedding import Vectors
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements import bulk

STORY = -1
"""The position of a story's own vector."""

# Whether story `s` has all its vectors of a model, and at its present revision: they are inserted as one.
READY = (
    "EXISTS (SELECT FROM next_vectors v WHERE v.user_id = s.user_id AND v.story_id = s.id "
    f"AND v.position = {STORY} AND v.revision = s.revision AND v.embedder = %b)"
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A story without its next vectors."""

    id: UUID
    passages: int


def keep(story: Story, embedder: str, memories: Mapping[int, UUID | None], vectors: Vectors, vault: Vault) -> None:
    """Keep a story's vectors: its own first, then those of its passages, given as position and memory, in order."""
    positions = [STORY, *memories]
    bulk.insert(
        NextVector._meta.db_table,
        {
            "id": ("uuid", [uuid7() for _ in positions]),
            "memory_id": ("uuid", [None, *memories.values()]),
            "position": ("int4", positions),
            "embedding": ("halfvec", cloaked(vault, vectors)),
        },
        same={
            "user_id": ("uuid", story.user_id),
            "story_id": ("uuid", story.pk),
            "revision": ("int4", story.revision),
            "embedder": ("text", embedder),
        },
    )


def forget(story: Story) -> None:
    """Drop what is kept of a story."""
    bulk.run("DELETE FROM next_vectors WHERE user_id = %b AND story_id = %b", [story.user_id, story.pk])


def missing(user_id: UUID, embedder: str) -> list[Missing]:
    """The person's stories that lack vectors of a model, oldest first."""
    rows = bulk.run(
        f"SELECT s.id, s.passage_count FROM stories s WHERE s.user_id = %b AND NOT {READY} ORDER BY s.id",  # noqa: S608
        [user_id, embedder],
    )
    return [Missing(*row) for row in rows]


def put_in_place(user_id: UUID, embedder: str) -> None:
    """Exchange all of the person's vectors for those of a model; one that is not kept is none from then on."""
    bulk.run(
        "UPDATE passages SET embedding = (SELECT v.embedding FROM next_vectors v WHERE v.user_id = passages.user_id "
        "AND v.story_id = passages.story_id AND v.position = passages.position "
        "AND v.memory_id IS NOT DISTINCT FROM passages.memory_id) WHERE user_id = %b",
        [user_id],
    )
    bulk.run(
        "UPDATE stories SET embedder = %b, embedding = (SELECT v.embedding FROM next_vectors v "
        "WHERE v.user_id = stories.user_id AND v.story_id = stories.id AND v.position = %b) WHERE user_id = %b",
        [embedder, STORY, user_id],
    )
    bulk.run("DELETE FROM next_vectors WHERE user_id = %b", [user_id])
