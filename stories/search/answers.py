"""What a search found, opened: only what is shown, only the person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np

from memories.models import Memory
from memories.payload import open_memories
from stories.models import Story
from stories.search.candidates import Found
from stories.search.ranking import Ranking
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch

PASSAGES_SHOWN = 3
SHOWN = ("id", "user_id", "conversation_id", "title", "text", "occurred_from", "corrected", "revision")
STORIES = f"SELECT {', '.join(SHOWN)} FROM stories WHERE user_id = %s AND id = ANY(%s::uuid[])"  # noqa: S608
SAID = ("id", "user_id", "conversation_id", "message_ids", "role", "payload", "occurred_at", "revision")
MEMORIES = f"SELECT {', '.join(SAID)} FROM encrypted_memories WHERE user_id = %s AND id = ANY(%s::uuid[])"  # noqa: S608


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that speaks for its story, opened, with what made up its score.

    Without a memory it is what the person corrected in the story: its title, its text, or both.
    """

    memory: UUID | None
    message_ids: tuple[str, ...]
    occurred_at: datetime
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
    title: str | None = field(repr=False)
    """None until the story is built."""


@dataclass(frozen=True, slots=True)
class FoundMemory:
    """A memory that was found, opened, with what made up its score."""

    id: UUID
    conversation_id: UUID
    story_id: UUID | None
    """None if the person deleted its story."""
    message_ids: tuple[str, ...]
    occurred_at: datetime
    role: str
    score: float
    why: dict[str, float]
    author: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found: stories, or memories. `degraded` says why it is less than it could be."""

    strategy: str
    stories: tuple[FoundStory, ...]
    memories: tuple[FoundMemory, ...] = ()
    degraded: str = ""
    pending: int = 0
    """Memories that are not fully in the index yet."""


def open_memories_found(vault: Vault, found: Found, ranking: Ranking, limit: int) -> list[FoundMemory]:
    """Open the best memories; of several parts of one its best counts."""
    best: dict[UUID, int] = {}
    for at in ranking.passages.best().tolist():
        memory_id = found.memory(at)
        if memory_id is not None:
            best.setdefault(memory_id, at)
        if len(best) == limit:
            break
    [rows] = execute_batch((MEMORIES, [vault.user_id, list(best)]))
    memories = bulk.as_models(Memory, SAID, rows)
    opened = {row.pk: (row, each) for row, each in zip(memories, open_memories(memories, vault), strict=True)}
    return [
        FoundMemory(
            id=memory_id,
            conversation_id=opened[memory_id][0].conversation_id,
            story_id=None if found.deleted[at] else found.story(at),
            message_ids=opened[memory_id][1].message_ids,
            occurred_at=opened[memory_id][1].occurred_at,
            role=opened[memory_id][1].role,
            score=round(float(ranking.passages.score[at]), 4),
            why=ranking.passages.why(at),
            author=opened[memory_id][1].payload.author,
            text=opened[memory_id][1].payload.text,
        )
        for memory_id, at in best.items()
    ]


def open_stories(vault: Vault, found: Found, ranking: Ranking, limit: int, passages: int) -> list[FoundStory]:
    """Open the best stories: their titles, and the texts of their best passages."""
    deleted = set(found.passages.story[found.deleted].tolist())
    best = [at for at in ranking.stories.best().tolist() if int(ranking.story[at]) not in deleted][:limit]
    places = best_passages(found, ranking, ranking.story[best].tolist(), passages)
    ids = [found.story(each[0]) for each in places.values()]
    said = [found.memory(at) for each in places.values() for at in each]
    told, spoken = execute_batch((STORIES, [vault.user_id, ids]), (MEMORIES, [vault.user_id, list(filter(None, said))]))
    stories = {row.pk: row for row in bulk.as_models(Story, SHOWN, told)}
    memories = {each.id: each for each in open_memories(bulk.as_models(Memory, SAID, spoken), vault)}

    def shown(at: int) -> FoundPassage:
        memory_id = found.memory(at)
        why = ranking.passages.why(at)
        score = round(float(ranking.passages.score[at]), 4)
        if memory_id is None:
            story = stories[found.story(at)]
            return FoundPassage(None, (), story.occurred_from, score, why, "", corrected_text(story, vault))
        memory = memories[memory_id]
        said = memory.payload
        return FoundPassage(
            memory.id, memory.message_ids, memory.occurred_at, score, why, author=said.author, text=said.text
        )

    return [
        FoundStory(
            id=story_id,
            conversation_id=stories[story_id].conversation_id,
            score=round(float(ranking.stories.score[at]), 4),
            why=ranking.stories.why(at),
            occurred_at=stories[story_id].occurred_from,
            passages=tuple(map(shown, each)),
            title=title_of(stories[story_id], vault),
        )
        for at, story_id, each in zip(best, ids, places.values(), strict=True)
    ]


def title_of(story: Story, vault: Vault) -> str | None:
    """Return a story's title; None until it is built."""
    return None if story.title is None else vault.open(story.title, address_of(story, "title"))


def best_passages(found: Found, ranking: Ranking, stories: Sequence[int], most: int) -> dict[int, list[int]]:
    """Return of each story, given by its number and in this order, the places of its best passages, best first.

    Of several parts of one memory the best stands for it.
    """
    order = ranking.passages.best()
    order = order[np.isin(found.passages.story[order], stories)]
    best: dict[int, dict[UUID | None, int]] = {story: {} for story in stories}
    for at, story in zip(order.tolist(), found.passages.story[order].tolist(), strict=True):
        if len(best[story]) < most:
            best[story].setdefault(found.memory(at), at)
    return {story: list(places.values()) for story, places in best.items()}


def corrected_text(story: Story, vault: Vault) -> str:
    """Return what the person wrote of a story that is searched by it."""
    columns = [column for column in ("title", "text") if column in story.corrected]
    return "\n".join(vault.open(getattr(story, column), address_of(story, column)) for column in columns)
