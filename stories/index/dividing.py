"""Ends the open episode of a conversation: after a gap, or cut where it holds together least once it is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
from django.conf import settings
from django.utils import timezone
from pgvector import HalfVector

from stories.index.entries import EMPTY
from stories.index.episodes import weakest_joint
from stories.models import Passage, Story
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements import bulk

SAID: Final = (
    "SELECT memory_id, occurred_at, embedding FROM passages WHERE user_id = %b AND story_id = %b "
    "AND memory_id IS NOT NULL AND part = 0 ORDER BY occurred_at, memory_id"
)


@dataclass(frozen=True, slots=True)
class Said:
    """A memory of an episode: when it was said, and its vector, as it is stored."""

    memory_id: UUID
    occurred_at: datetime
    vector: HalfVector | None


def divide_open(user_id: UUID, conversation_id: UUID) -> None:
    """Cut or close the open episode of a conversation if that is due, with the conversation locked.

    A corrected episode is never cut: it is closed as it is.
    """
    story = Story.objects.of(user_id).filter(conversation_id=conversation_id, is_open=True)
    read = ("id", "user", "occurred_to", "memory_count", "memory_ids", "corrected", "built_at", "due_at")
    found = story.only(*read).select_for_update(no_key=True).first()
    if found is None:
        return
    gap = timedelta(minutes=settings.EPISODE_GAP_MINUTES)
    if found.memory_count >= settings.EPISODE_MEMORIES:
        if found.corrected:
            close(found)
            return
        said = [Said(*row) for row in bulk.run(SAID, [user_id, found.pk], vectors=True)]
        pieces = cut(said, gap)
        if len(pieces) > 1:
            write_pieces(found, conversation_id, pieces)
    elif found.occurred_to + gap < timezone.now():
        close(found)


def close(story: Story) -> None:
    """Close an episode, and have it built unless it waited for its closing alone."""
    complete = story.due_at == closing_at(story) and story.memory_count == len(story.memory_ids)
    Story.objects.of(story.user_id).filter(pk=story.pk).update(
        is_open=False, due_at=None if complete else timezone.now()
    )


def closing_at(story: Story) -> datetime | None:
    """Return when an open episode that is built is due next, if nothing is said or changed: that it may be closed."""
    return story.built_at + timedelta(minutes=settings.EPISODE_GAP_MINUTES) if story.built_at else None


def cut(said: Sequence[Said], gap: timedelta) -> list[Sequence[Said]]:
    """Return the memories of an episode in pieces, all but the last of them full."""
    pieces, rest = [], said
    while len(rest) >= settings.EPISODE_MEMORIES:
        full = rest[: settings.EPISODE_MEMORIES]
        size = weakest_joint([each.occurred_at for each in full], vectors(full), gap)
        pieces.append(rest[:size])
        rest = rest[size:]
    return [*pieces, rest]


def vectors(said: Sequence[Said]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the vectors as one array (n, d), zeros where there is none."""
    known = {at: each.vector.to_numpy() for at, each in enumerate(said) if each.vector is not None}
    found = np.zeros((len(said), max(map(len, known.values()), default=0)), dtype=np.float32)
    for at, vector in known.items():
        found[at, : len(vector)] = vector
    return found


def write_pieces(story: Story, conversation_id: UUID, pieces: Sequence[Sequence[Said]]) -> None:
    """Leave the first piece in the episode, and make an episode of each further one, the last of them open."""
    now = timezone.now()
    quiet = now + timedelta(seconds=settings.STORY_QUIET_SECONDS)
    first, *further = pieces
    Story.objects.of(story.user_id).filter(pk=story.pk).update(
        is_open=False, due_at=now, memory_count=len(first), occurred_to=first[-1].occurred_at
    )
    last = len(further) - 1
    ids = [uuid7() for _ in further]
    bulk.insert(
        Story._meta.db_table,
        {
            "id": ("uuid", ids),
            "occurred_from": ("timestamptz", [piece[0].occurred_at for piece in further]),
            "occurred_to": ("timestamptz", [piece[-1].occurred_at for piece in further]),
            "memory_count": ("int4", [len(piece) for piece in further]),
            "is_open": ("bool", [at == last for at in range(len(further))]),
            "due_at": ("timestamptz", [quiet if at == last else now for at in range(len(further))]),
        },
        same={"user_id": ("uuid", story.user_id), "conversation_id": ("uuid", conversation_id), **EMPTY},
    )
    for story_id, piece in zip(ids, further, strict=True):
        moved = Passage.objects.of(story.user_id).filter(story_id=story.pk)
        moved.filter(memory_id__in=[each.memory_id for each in piece]).update(story_id=story_id)
