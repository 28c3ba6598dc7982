"""What a search found, opened: only what is shown, only the person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np

from memories.models import Memory
from memories.services import OpenedMemory, open_memories
from stories.candidates import Found
from stories.models import Story
from stories.ranking import Ranking
from vibe.crypto.fields import address_of
from vibe.crypto.vault import Vault
from vibe.db import bulk

PASSAGES_SHOWN = 3
SHOWN = ("id", "user_id", "conversation_id", "title", "occurred_from", "corrected", "revision")
STORIES = f"SELECT {', '.join(SHOWN)} FROM stories WHERE user_id = %b AND id = ANY(%b)"  # noqa: S608
SAID = ("id", "message_ids", "payload", "occurred_at", "revision")
MEMORIES = f"SELECT {', '.join(SAID)} FROM encrypted_memories WHERE user_id = %b AND id = ANY(%b)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that speaks for its story, opened, with what made up its score.

    Without a memory it is what the person corrected in the story: its title, its text, or both.
    """

    memory: UUID | None
    message_ids: tuple[str, ...]
    score: float
    why: dict[str, float]
    author: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundStory:
    """A story that was found, opened, with what made up its score and its best passages."""

    id: UUID
    conversation_id: UUID
    score: float
    why: dict[str, float]
    occurred_at: datetime
    passages: tuple[FoundPassage, ...]
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found. `degraded` says why it is less than it could be, such as words alone."""

    strategy: str
    stories: tuple[FoundStory, ...]
    degraded: str = ""


def open_stories(vault: Vault, found: Found, ranking: Ranking, limit: int) -> list[FoundStory]:
    """Open the best stories: their titles, and the texts of their best passages."""
    best = ranking.stories.best(limit).tolist()
    id_of = dict(zip(found.passages.story.tolist(), found.stories, strict=True))
    ids = [id_of[int(ranking.story[at])] for at in best]
    passages = best_passages(found, ranking, ranking.story[best].tolist())
    rows = bulk.run(STORIES, [vault.user_id, ids])
    stories = {row.pk: row for row in bulk.as_models(Story, SHOWN, rows)}
    memories = opened(vault, [found.memories[at] for places in passages.values() for at in places])

    def shown(at: int) -> FoundPassage:
        memory_id = found.memories[at]
        why = ranking.passages.why(at)
        score = round(float(ranking.passages.score[at]), 4)
        if memory_id is None:
            return FoundPassage(None, (), score, why, "", corrected_text(stories[found.stories[at]], vault))
        memory = memories[memory_id]
        return FoundPassage(memory.id, memory.message_ids, score, why, memory.payload.author, memory.payload.text)

    return [
        FoundStory(
            id=story_id,
            conversation_id=stories[story_id].conversation_id,
            score=round(float(ranking.stories.score[at]), 4),
            why=ranking.stories.why(at),
            occurred_at=stories[story_id].occurred_from,
            passages=tuple(map(shown, passages[story_id])),
            title=vault.open(stories[story_id].title, address_of(stories[story_id], "title")),
        )
        for at, story_id in zip(best, ids, strict=True)
    ]


def best_passages(found: Found, ranking: Ranking, stories: Sequence[int]) -> dict[UUID, list[int]]:
    """Of each story, given by its number, the places of its best passages, best first."""
    order = ranking.passages.best()
    best: dict[UUID, list[int]] = {}
    for at in order[np.isin(found.passages.story[order], stories)].tolist():
        if len(places := best.setdefault(found.stories[at], [])) < PASSAGES_SHOWN:
            places.append(at)
    return best


def opened(vault: Vault, ids: list[UUID | None]) -> dict[UUID, OpenedMemory]:
    """Memories by id."""
    rows = bulk.run(MEMORIES, [vault.user_id, [each for each in ids if each is not None]])
    return {memory.id: memory for memory in open_memories(bulk.as_models(Memory, SAID, rows), vault)}


def corrected_text(story: Story, vault: Vault) -> str:
    """What the person wrote of a story that is searched by it."""
    columns = [column for column in ("title", "text") if column in story.corrected]
    return "\n".join(vault.open(getattr(story, column), address_of(story, column)) for column in columns)
