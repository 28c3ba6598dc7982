"""What a search found, opened: only what is shown, only the person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np

from memories.models import UNEXPIRED, Memory
from memories.payload import open_memories
from stories.models import Story
from stories.search.candidates import Found
from stories.search.ranking import Ranking
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch

PASSAGES_SHOWN = 3
SHOWN = ("id", "user_id", "conversation_id", "title", "occurred_from", "corrected", "revision")
STORIES = f"SELECT {', '.join(SHOWN)} FROM stories WHERE user_id = %s AND id = ANY(%s::uuid[])"  # noqa: S608
SAID = ("id", "message_ids", "role", "payload", "occurred_at", "revision")
MEMORIES = (
    f"SELECT {', '.join(SAID)} FROM encrypted_memories "  # noqa: S608
    f"WHERE user_id = %s AND id = ANY(%s::uuid[]) AND {UNEXPIRED}"
)


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
    """Open the best stories: their titles, and the texts of their best passages.

    Expired memories are left out, and stories of which nothing else was found, until the memories are deleted.
    """
    best = ranking.stories.best(limit).tolist()
    passages = best_passages(found, ranking, ranking.story[best].tolist())
    ids = [found.story(places[0]) for places in passages.values()]
    said = [found.memory(at) for places in passages.values() for at in places]
    told, spoken = execute_batch((STORIES, [vault.user_id, ids]), (MEMORIES, [vault.user_id, list(filter(None, said))]))
    stories = {row.pk: row for row in bulk.as_models(Story, SHOWN, told)}
    memories = {each.id: each for each in open_memories(bulk.as_models(Memory, SAID, spoken), vault)}

    def shown(at: int) -> FoundPassage:
        memory_id = found.memory(at)
        why = ranking.passages.why(at)
        score = round(float(ranking.passages.score[at]), 4)
        if memory_id is None:
            return FoundPassage(None, (), score, why, "", corrected_text(stories[found.story(at)], vault))
        memory = memories[memory_id]
        return FoundPassage(memory.id, memory.message_ids, score, why, memory.payload.author, memory.payload.text)

    def is_readable(at: int) -> bool:
        return found.memory(at) is None or found.memory(at) in memories

    return [
        FoundStory(
            id=story_id,
            conversation_id=stories[story_id].conversation_id,
            score=round(float(ranking.stories.score[at]), 4),
            why=ranking.stories.why(at),
            occurred_at=stories[story_id].occurred_from,
            passages=tuple(map(shown, filter(is_readable, places))),
            title=vault.open(stories[story_id].title, address_of(stories[story_id], "title")),
        )
        for at, story_id, places in zip(best, ids, passages.values(), strict=True)
        if any(map(is_readable, places))
    ]


def best_passages(found: Found, ranking: Ranking, stories: Sequence[int]) -> dict[int, list[int]]:
    """Of each story, given by its number and in this order, the places of its best passages, best first."""
    order = ranking.passages.best()
    order = order[np.isin(found.passages.story[order], stories)]
    best: dict[int, list[int]] = {story: [] for story in stories}
    for at, story in zip(order.tolist(), found.passages.story[order].tolist(), strict=True):
        if len(best[story]) < PASSAGES_SHOWN:
            best[story].append(at)
    return best


def corrected_text(story: Story, vault: Vault) -> str:
    """What the person wrote of a story that is searched by it."""
    columns = [column for column in ("title", "text") if column in story.corrected]
    return "\n".join(vault.open(getattr(story, column), address_of(story, column)) for column in columns)
