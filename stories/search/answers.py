"""What a search found, opened: only what is shown, only the person's own. A memory whose fact has ended comes behind
the one that ended it: "I moved to Rome" before "I live in Berlin".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Final
from uuid import UUID

import numpy as np

from memories.models import Memory
from memories.payload import OpenedMemory, open_memories
from stories.facts.storing import open_statements, statements_in
from stories.facts.timeline import facts_of
from stories.models import Story
from stories.search.candidates import Found
from stories.search.ranking import Passages, Ranking
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Rows, Statement, execute_batch
from vibe.core.folding import fold

LOOKED_AT: Final = 50
"""Of the memories found, the first so many are compared."""

PASSAGES_SHOWN = 3
COPIES_WITHIN = 0.1
"""Cosines of the question with two copies of one statement differ by less."""
SAME_VECTOR = 0.001
"""So far cosines with one vector differ in half precision."""
MOST_COPIES = 100
"""Copies of one statement that are looked for."""
SHOWN = ("id", "user_id", "conversation_id", "title", "text", "occurred_from", "corrected", "revision")
STORIES = f"SELECT {', '.join(SHOWN)} FROM stories WHERE user_id = %s AND id = ANY(%s::uuid[])"  # noqa: S608
SAID = ("id", "user_id", "conversation_id", "message_ids", "role", "payload", "occurred_at", "revision")
MEMORIES = f"SELECT {', '.join(SAID)} FROM encrypted_memories WHERE user_id = %s AND id = ANY(%s::uuid[])"  # noqa: S608


def newest_word_first(vault: Vault, found: list[UUID], stated: Rows) -> list[UUID]:
    """Return memories, given best first, with each that ended a fact before those that say the fact.

    All others keep their places. `stated` are the statements that these memories themselves make, as
    stories.facts.storing reads them.
    """
    order = list(found)
    for fact in facts_of(open_statements(vault, stated)) if len(stated) > 1 else ():
        old = [source.memory_id for source in fact.sources if source.memory_id != fact.ended_in]
        if fact.ended_in and old:
            _put_before(order, fact.ended_in, old)
    return order


def _put_before(order: list[UUID], first: UUID, others: Sequence[UUID | None]) -> None:
    """Move one to the place of the first of the others, if it is behind that."""
    at = order.index(first)
    before = min(order.index(each) for each in others if each is not None)
    if before < at:
        order.insert(before, order.pop(at))


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that speaks for its story, opened, with the parts of its rank.

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
    """A story that was found, opened, with the parts of its rank and its best passages."""

    id: UUID
    conversation_id: UUID
    score: float
    """The probability that its best passage answers."""
    why: dict[str, float]
    occurred_at: datetime
    passages: tuple[FoundPassage, ...]
    title: str | None = field(repr=False)
    """None until the story is built."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A memory that says the same as the one that is shown, by the same speaker."""

    id: UUID
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class FoundMemory:
    """A memory that was found, opened, with the parts of its rank."""

    id: UUID
    conversation_id: UUID
    story_id: UUID | None
    """None if the person deleted its story."""
    message_ids: tuple[str, ...]
    occurred_at: datetime
    role: str
    score: float
    """The probability that it answers the question."""
    why: dict[str, float]
    author: str = field(repr=False)
    text: str = field(repr=False)
    copies: tuple[Copy, ...] = ()
    """Where the same was said as well, oldest first."""
    part: int = 0
    """Which of the windows of a long text was found."""
    utc_offset: int | None = None
    """Minutes east of UTC where it was said; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found: stories, or memories. `degraded` says why it is less than it could be."""

    strategy: str
    stories: tuple[FoundStory, ...]
    memories: tuple[FoundMemory, ...] = ()
    degraded: str = ""
    pending: int = 0
    """Memories that are not fully in the index yet."""


def open_memories_found(vault: Vault, found: Found, ranking: Ranking, limit: int, least: float) -> list[FoundMemory]:
    """Open the best memories that answer with the least probability wanted, copies of one statement as one.

    Of several parts of a memory its best counts.

    Copies are told by their texts. Beside the best, those are opened that may be copies of them, by what is known of
    them blind; more only where copies leave fewer than `limit`.
    """
    order, walked = best_places(found, ranking, least), set[UUID]()
    first = dict(islice(order, LOOKED_AT))
    if not first:
        return []
    places = with_copies(found, dict(islice(first.items(), limit)))
    stated, spoken = execute_batch(statements_in(vault.user_id, list(first)), said_in(vault, list(places)))
    opened = open_rows(vault, spoken)
    order = chain(((each, first[each]) for each in newest_word_first(vault, list(first), stated)), order)
    same: dict[tuple[str, str], list[UUID]] = {}
    while len(same) < limit and (wanted := dict(islice(order, limit - len(same)))):
        walked |= wanted.keys()
        places = {**with_copies(found, wanted), **places, **wanted}
        if missing := [each for each in places if each not in opened]:
            opened |= open_rows(vault, execute_batch(said_in(vault, missing))[0])
        for each in wanted:
            same.setdefault(statement(opened[each][1]), []).append(each)
    for each in (each for each in places if each not in walked):
        if (key := statement(opened[each][1])) in same:
            same[key].append(each)
    newest_first = "newest" in ranking.passages.parts
    return [found_memory(found, ranking, places, opened, each, newest=newest_first) for each in same.values()]


def best_places(found: Found, ranking: Ranking, least: float) -> Iterator[tuple[UUID, int]]:
    """Give each memory with the place of its best passage, best first. Few are taken of thousands."""
    seen: set[UUID] = set()
    order = ranking.passages.best()
    for at in order[ranking.probability[order] >= least].tolist():
        if (memory_id := found.memory(at)) is not None and memory_id not in seen:
            seen.add(memory_id)
            yield memory_id, at


def may_be_copies(passages: Passages, shown: Sequence[int]) -> set[int]:
    """Return passages that may say the same as one of those shown: same speaker, length and words, and about as near.

    The vector is not quite the same where it holds what a reply replies to. Without a word of the question in it,
    too much would be about as near.
    """
    alike: set[int] = set()
    for at in shown:
        counts = passages.counts[:, [at]]
        same = (passages.lengths == passages.lengths[at]) & (passages.counts == counts).all(axis=0)
        if passages.author is not None:
            same &= passages.author == passages.author[at]
        if passages.similarity is not None:
            within = COPIES_WITHIN if counts.any() else SAME_VECTOR
            same &= ~(np.abs(passages.similarity - passages.similarity[at]) > within)
        alike.update(np.flatnonzero(same)[:MOST_COPIES].tolist())
    return alike


def with_copies(found: Found, wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return memories with their places, and those that may be copies of one."""
    copies = may_be_copies(found.passages, list(wanted.values()))
    likely = {memory_id: at for at in sorted(copies) if (memory_id := found.memory(at)) is not None}
    return {**likely, **wanted}


def said_in(vault: Vault, ids: Sequence[UUID]) -> Statement:
    """Return what reads memories; `open_rows` opens what it finds."""
    return MEMORIES, [vault.user_id, list(ids)]


def open_rows(vault: Vault, rows: Rows) -> dict[UUID, tuple[Memory, OpenedMemory]]:
    """Open memories, each with its row."""
    memories = bulk.as_models(Memory, SAID, rows)
    return {row.pk: (row, each) for row, each in zip(memories, open_memories(memories, vault), strict=True)}


def statement(memory: OpenedMemory) -> tuple[str, str]:
    """Return who said what, in one spelling: memories of which that is equal are copies."""
    return fold(memory.payload.author), " ".join(fold(memory.payload.text).split())


def found_memory(
    found: Found,
    ranking: Ranking,
    places: Mapping[UUID, int],
    opened: Mapping[UUID, tuple[Memory, OpenedMemory]],
    copies: Sequence[UUID],
    *,
    newest: bool,
) -> FoundMemory:
    """Return what is shown of copies, given best first: the best, or the newest, and when the others were said."""
    in_time = sorted(copies, key=lambda each: (opened[each][0].occurred_at, each))
    shown = in_time[-1] if newest else copies[0]
    at, (row, memory) = places[copies[0]], opened[shown]
    return FoundMemory(
        id=shown,
        conversation_id=row.conversation_id,
        story_id=None if found.deleted[places[shown]] else found.story(places[shown]),
        message_ids=memory.message_ids,
        occurred_at=memory.occurred_at,
        role=memory.role,
        score=float(ranking.probability[at]),
        why=ranking.passages.why(at),
        author=memory.payload.author,
        text=memory.payload.text,
        copies=tuple(Copy(each, opened[each][0].occurred_at) for each in in_time if each != shown),
        part=int(found.part[places[shown]]),
        utc_offset=memory.payload.utc_offset,
    )


def open_stories(
    vault: Vault, found: Found, ranking: Ranking, limit: int, *, passages: int, least: float
) -> list[FoundStory]:
    """Open the best stories that answer with the least probability wanted: titles, and texts of their best passages."""
    deleted = set(found.passages.story[found.deleted].tolist())
    likely = np.zeros(len(ranking.story))
    np.maximum.at(likely, np.searchsorted(ranking.story, found.passages.story), ranking.probability)
    order = ranking.stories.best()
    order = order[likely[order] >= least]
    best = [at for at in order.tolist() if int(ranking.story[at]) not in deleted][:limit]
    places = best_passages(found, ranking, ranking.story[best].tolist(), passages)
    ids = [found.story(each[0]) for each in places.values()]
    said = [found.memory(at) for each in places.values() for at in each]
    told, spoken = execute_batch((STORIES, [vault.user_id, ids]), (MEMORIES, [vault.user_id, list(filter(None, said))]))
    stories = {row.pk: row for row in bulk.as_models(Story, SHOWN, told)}
    memories = {each.id: each for each in open_memories(bulk.as_models(Memory, SAID, spoken), vault)}

    def shown(at: int) -> FoundPassage:
        memory_id = found.memory(at)
        why = ranking.passages.why(at)
        score = float(ranking.probability[at])
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
            score=float(likely[at]),
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
