"""What comes into question for a search, as rows and as arrays; of a small set that is everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from pgvector import HalfVector

from stories.bm25 import Collection
from stories.ranking import Passages, StoryWords
from vibe.db import bulk

EXACT, HNSW = "exact", "hnsw"

EVERY = "SELECT {columns} FROM passages p WHERE p.user_id = %(user)b"
EVERY_OF = f"{EVERY} AND p.story_id = ANY(%(of)b::uuid[])"

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: blind tokens of the words and of the two marks, the cloaked question, who is meant."""

    tokens: Sequence[int]
    asked: Sequence[int]
    """How often the question has each of the words."""
    asks_mark: int
    dates_mark: int
    when: bool
    vector: HalfVector | None
    speaker: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """What the ranker must know of all of a person's passages when it is given a part; see stories.ranking.Ranker."""

    collection: Collection
    story_words: StoryWords
    story_collection: Collection
    floor: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates as ids and as the arrays that are ranked; passages.story counts stories from 0 as they appear.

    Ids are the 16 bytes of theirs: thousands are read, and few are shown.
    """

    strategy: str
    memories: Sequence[bytes | None]
    """None for the passage of a correction."""
    stories: Sequence[bytes]
    passages: Passages
    backdrop: Backdrop | None = None

    def memory(self, at: int) -> UUID | None:
        """The memory of a passage."""
        found = self.memories[at]
        return None if found is None else UUID(bytes=found)

    def story(self, at: int) -> UUID:
        """The story of a passage."""
        return UUID(bytes=self.stories[at])


def exact(user_id: UUID, wanted: Wanted, stories: Sequence[UUID] | None) -> Found:
    """Every passage of the person, or of these stories of theirs."""
    statement = (EVERY if stories is None else EVERY_OF).format(columns=columns(wanted))
    given = {**column_values(wanted), "user": user_id, "of": stories and list(stories)}
    return as_found(EXACT, bulk.run(statement, given, vectors=True, binary=True, prepared=True), wanted)


def columns(wanted: Wanted) -> str:
    """What is fetched of a passage: its places, how often it has each word and mark, how like it is."""
    return ", ".join(
        [
            "uuid_send(p.memory_id), uuid_send(p.story_id), p.position, p.speaker, p.length",
            *map(times, range(len(wanted.tokens) + 2)),
            "NULL::float8" if wanted.vector is None else "1 - (p.embedding <=> %(vector)b::halfvec)",
        ]
    )


def times(number: int) -> str:
    """How often a passage has the token of this number, 0 for not at all.

    A passage has its words in rising order (stories.blinding), so the place of one is found by halving.
    """
    token = f"(%(token{number})b)::int8"  # written out it may be negative, and :: binds closer than the sign
    place = f"width_bucket({token}, p.words)"
    return f"CASE WHEN p.words[{place}] = {token} THEN p.counts[{place}] ELSE 0::int2 END"


def column_values(wanted: Wanted) -> dict[str, Any]:
    """The parameters of `columns`."""
    return {**token_values([*wanted.tokens, wanted.asks_mark, wanted.dates_mark]), "vector": wanted.vector}


def token_values(tokens: Iterable[int]) -> dict[str, int]:
    """The parameters of `times`."""
    return {f"token{number}": token for number, token in enumerate(tokens)}


def as_found(strategy: str, rows: Rows, wanted: Wanted, backdrop: Backdrop | None = None) -> Found:
    """Rows as arrays."""
    width = 5 + len(wanted.tokens) + 3
    memories, stories, position, speaker, length, *rest = zip(*rows, strict=True) if rows else ((),) * width
    *counts, asking, dated, similarity = rest
    number = numbered(stories)
    return Found(
        strategy,
        memories,
        stories,
        Passages(
            story=np.array([number[story] for story in stories], dtype=np.int64),
            position=np.array(position, dtype=np.int64),
            counts=np.array(counts, dtype=np.int64).reshape(len(wanted.tokens), len(rows)),
            lengths=np.array(length, dtype=np.int64),
            similarity=None if wanted.vector is None else np.array(similarity, dtype=np.float64),
            asking=np.array(asking, dtype=np.bool_),
            dated=np.array(dated, dtype=np.bool_) if wanted.when else None,
            spoken=None if wanted.speaker is None else np.array(speaker, dtype=np.int64) == wanted.speaker,
        ),
        backdrop,
    )


def numbered(stories: Iterable[bytes]) -> dict[bytes, int]:
    """Each story's number, counted from 0 as they appear."""
    number: dict[bytes, int] = {}
    for story in stories:
        number.setdefault(story, len(number))
    return number
