"""Makes the words, parts and vectors of a person's memories again, while search goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from audit.actors import Actor
from memories.models import Memory
from stories.index.entries import FORM
from stories.index.pending import note_pending
from stories.index.services import index_pending
from stories.models import Passage
from vibe.core.db.scopes import as_user

CHUNK: Final = 500
"""Memories that are taken up at a time."""
NOTHING: Final = UUID(int=0)


def count_outdated(user_id: UUID, *, everything: bool) -> int:
    """Return how many memories of a person are to be indexed again."""
    with as_user(user_id):
        if everything:
            return Memory.objects.of(user_id).count()
        return Passage.objects.of(user_id).filter(form__lt=FORM, part=0).exclude(memory=None).count()


def reindex_person(
    *, user_id: UUID, everything: bool, actor: Actor, on_progress: Callable[[int], object] = lambda _: None
) -> int:
    """Index again the memories of a person that are of an earlier form, or all of them. Return how many.

    Each is replaced as a whole, in one transaction with some others. What was begun is ended by the next run or by the
    worker. Raises EmbedderFailed and TokensSpent.
    """
    after, done = NOTHING, index_pending(user_id=user_id, bulk_ones=True, actor=actor)
    while True:
        with as_user(user_id):
            ids = next_ids(user_id, after, everything)
            note_pending(user_id, ids, bulk=True)
        if not ids:
            return done
        after = ids[-1]
        done += index_pending(user_id=user_id, bulk_ones=True, actor=actor, on_progress=on_progress)


def next_ids(user_id: UUID, after: UUID, everything: bool) -> list[UUID]:
    """Return the next memories by id."""
    if everything:
        rows = Memory.objects.of(user_id).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    else:
        passages = Passage.objects.of(user_id).filter(form__lt=FORM, part=0, memory_id__gt=after)
        rows = passages.order_by("memory_id").values_list("memory_id", flat=True)
    return list(rows[:CHUNK])
