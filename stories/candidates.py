"""What comes into question for a search, as rows and as arrays; of a small set that is everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import sql

from stories.bm25 import Collection
from stories.ranking import Flags, Passages, StoryWords
from vibe.db import bulk

EXACT, HNSW = "exact", "hnsw"

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
    vector: str | None
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
    """Candidates as ids and as the arrays that are ranked; passages.story counts `stories` from 0 as they appear."""

    strategy: str
    memories: list[UUID | None]
    """None for the passage of a correction."""
    stories: list[UUID]
    passages: Passages
    backdrop: Backdrop | None = None


def exact(user_id: UUID, wanted: Wanted, stories: Sequence[UUID] | None) -> Found:
    """Every passage of the person, or of these stories of theirs."""
    condition = "" if stories is None else "AND p.story_id = ANY(%b)"
    statement = sql.SQL("SELECT {} FROM passages p WHERE p.user_id = %b {}").format(columns(wanted), sql.SQL(condition))
    given = [] if stories is None else [list(stories)]
    return as_found(EXACT, bulk.run(statement, [*column_values(wanted), user_id, *given]), wanted)


def columns(wanted: Wanted) -> sql.Composed:
    """What is fetched of a passage: its places, how often it has each word, whether it asks, how like it is."""
    times = sql.SQL("p.counts[array_position(p.words, %b::int8)]")
    return sql.SQL(", ").join(
        [
            sql.SQL("p.memory_id, p.story_id, p.position, p.speaker, p.length"),
            *[times] * (len(wanted.tokens) + 2),
            sql.SQL("NULL::float8" if wanted.vector is None else "1 - (p.embedding <=> %b::halfvec)"),
        ]
    )


def column_values(wanted: Wanted) -> list[Any]:
    """The parameters of `columns`."""
    vector = [] if wanted.vector is None else [wanted.vector]
    return [*wanted.tokens, wanted.asks_mark, wanted.dates_mark, *vector]


def as_found(strategy: str, rows: Rows, wanted: Wanted, backdrop: Backdrop | None = None) -> Found:
    """Rows as arrays."""
    width = 5 + len(wanted.tokens) + 3
    memories, stories, position, speaker, length, *rest = zip(*rows, strict=True) if rows else ((),) * width
    *counts, asking, dated, similarity = rest
    number = numbered(stories)
    return Found(
        strategy,
        list(memories),
        list(stories),
        Passages(
            story=np.array([number[story] for story in stories], dtype=np.int64),
            position=np.array(position, dtype=np.int64),
            counts=np.array([zeroed(row) for row in counts], dtype=np.int64).reshape(len(wanted.tokens), len(rows)),
            lengths=np.array(length, dtype=np.int64),
            similarity=None if wanted.vector is None else np.array(similarity, dtype=np.float64),
            asking=there(asking),
            dated=there(dated) if wanted.when else None,
            spoken=None if wanted.speaker is None else np.array(speaker, dtype=np.int64) == wanted.speaker,
        ),
        backdrop,
    )


def numbered(stories: Iterable[UUID]) -> dict[UUID, int]:
    """Each story's number, counted from 0 as they appear."""
    number: dict[UUID, int] = {}
    for story in stories:
        number.setdefault(story, len(number))
    return number


def there(row: Iterable[int | None]) -> Flags:
    """Whether a mark stands in each passage."""
    return np.array([value is not None for value in row], dtype=np.bool_)


def zeroed(row: Iterable[int | None]) -> list[int]:
    """A word that is not there counts nothing."""
    return [value or 0 for value in row]
