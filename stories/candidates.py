"""Fetches what comes into question for a search: all of a small set, the likeliest of a large one.

Which of the two is chosen by `strategy_for`, from the person's own count. The statements are written so that the planner
has no choice: without `in_graph` no partial HNSW index can serve, and with it sorting is switched off, so that only an
index that gives the order can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from psycopg import sql

from stories.bm25 import Collection
from stories.models import SearchSet
from stories.ranking import Flags, Passages
from vibe.db import bulk

EXACT, HNSW = "exact", "hnsw"
NEAREST = 300
"""Likest passages taken from the graph."""
BY_WORDS = 700
"""Passages taken for their words from a large set."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: blind tokens of the words and of the two marks, the cloaked question, who is meant."""

    tokens: Sequence[int]
    asks_mark: int
    dates_mark: int
    when: bool
    vector: str | None
    speaker: int | None


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on stories, as SQL over the alias `s`, with its parameters. Nothing means everything."""

    condition: sql.Composable
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates as rows and as the arrays that are ranked."""

    strategy: str
    ids: list[UUID]
    memories: list[UUID]
    stories: list[UUID]
    passages: Passages
    collection: Collection | None


def strategy_for(search_set: SearchSet | None) -> str:
    """Exact for a set that is not in the graph; the graph for one that is."""
    return HNSW if search_set is not None and search_set.in_graph else EXACT


def fetch(user_id: UUID, wanted: Wanted, where: Where | None, search_set: SearchSet | None, at_least: int) -> Found:
    """The candidates, by the person's strategy. A filter that leaves less than was asked for is answered exactly."""
    if strategy_for(search_set) == HNSW:
        assert search_set is not None
        rows = from_graph(user_id, wanted, where)
        if where is None or len(rows) >= at_least:
            return found(HNSW, rows, wanted, collection_of(user_id, wanted, search_set))
    return found(EXACT, exact(user_id, wanted, where), wanted, None)


def exact(user_id: UUID, wanted: Wanted, where: Where | None) -> list[tuple[Any, ...]]:
    """Every passage of the person (that the filter leaves)."""
    statement = sql.SQL("SELECT {} FROM passages p WHERE p.user_id = %b {}").format(columns(wanted), narrowed(where))
    return bulk.run(statement, [*column_values(wanted), user_id, *parameters(where, user_id)])


def from_graph(user_id: UUID, wanted: Wanted, where: Where | None) -> list[tuple[Any, ...]]:
    """The likest by the shared HNSW index with iterative scan, and the best by words."""
    rows: dict[UUID, tuple[Any, ...]] = {}
    if wanted.vector is not None:
        rows.update((row[0], row) for row in nearest(user_id, wanted, where))
    if wanted.tokens:
        rows.update((row[0], row) for row in by_words(user_id, wanted, where))
    return list(rows.values())


def nearest(user_id: UUID, wanted: Wanted, where: Where | None) -> list[tuple[Any, ...]]:
    """In order of distance. The index is walked on until enough of this person's are found."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = 400; SET LOCAL enable_sort = off; "
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
        )
    try:
        statement = sql.SQL(
            "SELECT {} FROM passages p WHERE p.in_graph AND p.user_id = %b {} ORDER BY p.embedding <=> %b::halfvec LIMIT {}"
        ).format(columns(wanted), narrowed(where), sql.Literal(NEAREST))
        return bulk.run(statement, [*column_values(wanted), user_id, *parameters(where, user_id), wanted.vector])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = on; SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on")


def by_words(user_id: UUID, wanted: Wanted, where: Where | None) -> list[tuple[Any, ...]]:
    """Those with the rarest of the words asked for first, by the GIN index over blind words."""
    rarity = sql.SQL(" + ").join(
        sql.SQL("CASE WHEN p.words @> ARRAY[{}::int8] THEN {}::float8 ELSE 0 END").format(sql.Literal(token), sql.Literal(weight))
        for token, weight in rarities(user_id, wanted)
    )
    statement = sql.SQL(
        "SELECT {} FROM passages p WHERE p.user_id = %b AND p.words && %b::int8[] {} ORDER BY {} DESC, p.id LIMIT {}"
    ).format(columns(wanted), narrowed(where), rarity, sql.Literal(BY_WORDS))
    return bulk.run(
        statement, [*column_values(wanted), user_id, list(wanted.tokens), *parameters(where, user_id)]
    )


def rarities(user_id: UUID, wanted: Wanted) -> list[tuple[int, float]]:
    """How much each token tells: the rarer, the more."""
    counts = frequencies(user_id, wanted.tokens)
    return [(token, float(1.0 / (1.0 + count))) for token, count in zip(wanted.tokens, counts, strict=True)]


def frequencies(user_id: UUID, tokens: Sequence[int]) -> list[int]:
    """In how many of the person's passages each token stands."""
    rows = bulk.run(
        "SELECT (SELECT count(*) FROM passages p WHERE p.user_id = %b AND p.words @> ARRAY[asked.token]) "
        "FROM unnest(%b::int8[]) WITH ORDINALITY AS asked(token, place) ORDER BY asked.place",
        [user_id, list(tokens)],
    )
    return [count for (count,) in rows]


def collection_of(user_id: UUID, wanted: Wanted, search_set: SearchSet) -> Collection:
    """What BM25 must know of the whole set when only a part of it was fetched."""
    mean = search_set.words / search_set.passages if search_set.passages else 0.0
    return Collection(search_set.passages, mean, np.array(frequencies(user_id, wanted.tokens), dtype=np.int64))


def columns(wanted: Wanted) -> sql.Composed:
    """What is fetched of a passage: its places, how often it has each word, whether it asks, how like it is."""
    return sql.SQL(", ").join(
        [
            sql.SQL("p.id, p.memory_id, p.story_id, p.position, p.speaker, p.length"),
            *(sql.SQL("p.counts[array_position(p.words, %b::int8)]") for _ in (*wanted.tokens, wanted.asks_mark, wanted.dates_mark)),
            sql.SQL("1 - (p.embedding <=> %b::halfvec)" if wanted.vector is not None else "NULL::float8"),
        ]
    )


def column_values(wanted: Wanted) -> list[Any]:
    """The parameters of `columns`."""
    return [*wanted.tokens, wanted.asks_mark, wanted.dates_mark, *([wanted.vector] if wanted.vector is not None else [])]


def narrowed(where: Where | None) -> sql.Composable:
    """The filter as a condition on passages."""
    if where is None:
        return sql.SQL("")
    return sql.SQL("AND p.story_id IN (SELECT s.id FROM stories s WHERE s.user_id = %b AND {})").format(where.condition)


def parameters(where: Where | None, user_id: UUID) -> tuple[Any, ...]:
    """The parameters of `narrowed`."""
    return () if where is None else (user_id, *where.parameters)


def found(strategy: str, rows: list[tuple[Any, ...]], wanted: Wanted, collection: Collection | None) -> Found:
    """Rows as arrays."""
    ids, memories, stories, position, speaker, length, *rest = zip(*rows, strict=True) if rows else ((),) * 6
    *counts, asking, dated, similarity = rest or [()] * (len(wanted.tokens) + 3)
    number: dict[UUID, int] = {}
    return Found(
        strategy,
        list(ids),
        list(memories),
        list(stories),
        Passages(
            story=np.array([number.setdefault(story, len(number)) for story in stories], dtype=np.int64),
            position=np.array(position, dtype=np.int64),
            counts=np.array([zeroed(row) for row in counts], dtype=np.int64).reshape(len(wanted.tokens), len(ids)),
            lengths=np.array(length, dtype=np.int64),
            similarity=None if wanted.vector is None else np.array(similarity, dtype=np.float64),
            asking=there(asking),
            dated=there(dated) if wanted.when else None,
            spoken=None if wanted.speaker is None else np.array(speaker, dtype=np.int64) == wanted.speaker,
        ),
        collection,
    )


def there(row: Iterable[int | None]) -> Flags:
    """Whether a mark stands in each passage."""
    return np.array([value is not None for value in row], dtype=np.bool_)


def zeroed(row: Iterable[int | None]) -> list[int]:
    """A word that is not there counts nothing."""
    return [value or 0 for value in row]


