"""Fetches the candidates of a set too large to read: the likest, the best by words, and what stands near them.

With it comes what the ranker must know of all the rest: how often each word stands, the least likeness of a sample.
Measured, the ranking then equals that over every passage of the person (docs/search.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from psycopg import sql

from stories.bm25 import Collection, Counts
from stories.candidates import EXACT, HNSW, Backdrop, Found, Rows, Wanted, as_found, column_values, columns, numbered
from stories.filters import Scope
from stories.models import SearchSet
from stories.ranking import StoryWords
from stories.word_index import MOST_ROWS, Place, Stands, best_by_words, stands
from vibe.db import bulk
from vibe.db.trips import in_one_trip

LIKEST = 40
"""Passages taken from the graph, at the least; for a longer answer more."""
EF_SEARCH = 400
"""How far the graph is searched at a time; the iterative scan goes on from there."""
MOST_SCANNED = 20_000
"""Rows of the graph that are looked at for one question at most; what is missing then is fetched exactly."""
NEAR = 2
"""Messages before and after a candidate that come with it: as far as stories.weights looks."""
SAMPLED_STORIES = 10
SAMPLED_PASSAGES = 300

# The planner is left one way to fetch a few rows by their keys.
WAYS = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin")
STEERED = [sql.SQL(f"SET LOCAL {way} = off") for way in WAYS]
RELEASED = [sql.SQL(f"SET LOCAL {way} = on") for way in WAYS]


@dataclass(frozen=True, slots=True)
class Sample:
    """A few stories of the person, the same each time: how unlike the question things are, how common its words."""

    stories: int
    """How many stories the person has."""
    floor: float | None
    shares: list[float]
    """(T,) the share of passages that hold each word."""


def likeliest(
    user_id: UUID, wanted: Wanted, scope: Scope | None, search_set: SearchSet, *, strategy: str, limit: int
) -> Found:
    """The candidates, enough for `limit` stories if there are as many."""
    stories = None if scope is None else scope.stories
    many = max(LIKEST, 3 * limit)
    likest: list[Place] = []
    if wanted.vector is not None:
        if strategy == HNSW:
            likest = nearest(user_id, wanted.vector, stories, many)
        if len(likest) < min(many, search_set.passages if scope is None else scope.passages):
            strategy, likest = EXACT, nearest_of_all(user_id, wanted.vector, stories, many)
    sample = sampled(user_id, wanted)
    counted = zip(stands(user_id, wanted.tokens), sample.shares, strict=True)
    there = [estimated(each, share, sample, search_set) for each, share in counted]
    collection = Collection(
        search_set.passages,
        search_set.words / max(search_set.passages, 1),
        frequencies(each.passages for each in there),
    )
    worded = best_by_words(user_id, telling(wanted, there, collection), stories, collection, many)
    places = list(dict.fromkeys([*likest, *worded]))
    missing = limit - len({story for story, _ in places})
    if missing > 0:
        places += newest(user_id, stories, {story for story, _ in places}, missing)
    in_one_trip(STEERED)
    rows = with_neighbours(user_id, wanted, places)
    story_collection = Collection(
        sample.stories, search_set.words / max(sample.stories, 1), frequencies(each.stories for each in there)
    )
    words = whole_stories(user_id, wanted, rows)
    in_one_trip(RELEASED)
    return as_found(strategy, rows, wanted, Backdrop(collection, words, story_collection, sample.floor))


def nearest(user_id: UUID, vector: str, stories: Sequence[UUID] | None, limit: int) -> list[Place]:
    """The likest, as (story, position), the likest first; the graph is walked on until they are enough.

    With sorting switched off only an index that gives the order can serve, and under `in_graph` there is one. It may
    come short: a person's vectors are an island, and now and then the walk ends before it gets there.
    """
    statement = sql.SQL(
        "SELECT p.story_id, p.position FROM passages p WHERE p.in_graph AND p.user_id = {user} {of} "
        "ORDER BY p.embedding <=> {vector}::halfvec LIMIT {limit}"
    )
    walk = [
        sql.SQL("SET LOCAL hnsw.iterative_scan = strict_order"),
        sql.SQL("SET LOCAL hnsw.ef_search = {}").format(max(EF_SEARCH, min(limit, 1000))),
        sql.SQL("SET LOCAL hnsw.max_scan_tuples = {}").format(MOST_SCANNED),
        sql.SQL("SET LOCAL enable_sort = off"),
        *STEERED,
    ]
    back = [sql.SQL("SET LOCAL enable_sort = on"), *RELEASED]
    [rows] = in_one_trip([*walk, about(statement, user_id, vector, stories, limit), *back])
    return rows  # type: ignore[return-value]


def nearest_of_all(user_id: UUID, vector: str, stories: Sequence[UUID] | None, limit: int) -> list[Place]:
    """The same by looking at every one of the person's vectors: for sets outside the graph, or if it came short.

    Without `in_graph` in its condition no index of distances can serve.
    """
    statement = sql.SQL(
        "SELECT p.story_id, p.position FROM passages p WHERE p.user_id = {user} {of} "
        "AND p.embedding IS NOT NULL ORDER BY p.embedding <=> {vector}::halfvec, p.id LIMIT {limit}"
    )
    off, on = sql.SQL("SET LOCAL enable_seqscan = off"), sql.SQL("SET LOCAL enable_seqscan = on")
    [rows] = in_one_trip([off, about(statement, user_id, vector, stories, limit), on])
    return rows  # type: ignore[return-value]


def about(statement: sql.SQL, user_id: UUID, vector: str, stories: Sequence[UUID] | None, limit: int) -> sql.Composable:
    """A statement of nearness, with its values."""
    return statement.format(
        user=sql.Literal(user_id),
        of=sql.SQL("") if stories is None else sql.SQL("AND p.story_id = ANY({})").format(sql.Literal(list(stories))),
        vector=sql.Literal(vector),
        limit=sql.Literal(limit),
    )


def sampled(user_id: UUID, wanted: Wanted) -> Sample:
    """Look at a few stories, taken by a hash of their ids."""
    chosen = bulk.run(
        "SELECT id, count(*) OVER () FROM stories WHERE user_id = %b ORDER BY hashtext(id::text), id LIMIT %b",
        [user_id, SAMPLED_STORIES],
    )
    statement = sql.SQL("SELECT {} FROM passages p WHERE p.user_id = %b AND p.story_id = ANY(%b) LIMIT %b")
    rows = bulk.run(
        statement.format(columns(wanted)),
        [*column_values(wanted), user_id, [row_id for row_id, _ in chosen], SAMPLED_PASSAGES],
    )
    passages = as_found(HNSW, rows, wanted).passages
    known = passages.similarity is not None and np.isfinite(passages.similarity).any()
    return Sample(
        stories=chosen[0][1] if chosen else 0,
        floor=float(np.nanmin(passages.similarity)) if known and passages.similarity is not None else None,
        shares=[np.count_nonzero(row) / max(len(rows), 1) for row in passages.counts],
    )


def estimated(counted: Stands, share: float, sample: Sample, search_set: SearchSet) -> Stands:
    """A count as it is, or, of a common word, what the sample makes of it."""
    if not counted.common:
        return counted
    passages = max(counted.passages, min(round(share * search_set.passages), search_set.passages))
    each = search_set.passages / max(sample.stories, 1)
    stories = round(sample.stories * (1 - (1 - passages / max(search_set.passages, passages)) ** each))
    return Stands(passages, max(counted.stories, min(stories, sample.stories)))


def frequencies(counts: Iterable[int]) -> Counts:
    """Counts as an array."""
    return np.array(list(counts), dtype=np.int64)


def telling(wanted: Wanted, there: Sequence[Stands], collection: Collection) -> list[tuple[int, float]]:
    """The rarest of the words, each with its BM25 weight, as many as one look-up reads; the rarest in any case."""
    rarest = sorted(zip((each.passages for each in there), wanted.tokens, wanted.asked, strict=True))
    found: list[tuple[int, float]] = []
    rows = 0
    for passages, token, asked in rarest:
        rows += passages
        if passages and (rows <= MOST_ROWS or not found):
            found.append((token, asked * math.log1p((collection.size - passages + 0.5) / (passages + 0.5))))
    return found


def with_neighbours(user_id: UUID, wanted: Wanted, places: Sequence[Place]) -> Rows:
    """Everything about the passages at these places, and up to NEAR before and after each."""
    spread = dict.fromkeys(
        (story, at + step) for story, at in places for step in range(-NEAR, NEAR + 1) if at + step >= 0
    )
    statement = sql.SQL(
        "SELECT {} FROM unnest(%b::uuid[], %b::int4[]) AS at(story, place) "
        "JOIN passages p ON p.user_id = %b AND p.story_id = at.story AND p.position = at.place"
    ).format(columns(wanted))
    given = [[story for story, _ in spread], [place for _, place in spread]]
    return bulk.run(statement, [*column_values(wanted), *given, user_id])


def newest(user_id: UUID, stories: Sequence[UUID] | None, without: set[UUID], limit: int) -> list[Place]:
    """The beginnings of further stories, for when neither words nor vectors lead to as many as were asked for."""
    rows = bulk.run(
        "SELECT s.id, (SELECT min(p.position) FROM passages p WHERE p.user_id = s.user_id AND p.story_id = s.id) "
        "FROM stories s WHERE s.user_id = %b AND s.id <> ALL(%b) AND (%b::uuid[] IS NULL OR s.id = ANY(%b)) "
        "AND s.passage_count > 0 ORDER BY s.occurred_from DESC, s.id LIMIT %b",
        [user_id, list(without), given := None if stories is None else list(stories), given, limit],
    )
    return [(story, position) for story, position in rows if position is not None]


def whole_stories(user_id: UUID, wanted: Wanted, rows: Rows) -> StoryWords:
    """How often each word stands in the whole of each candidate's story, and how long that is."""
    number = numbered(row[1] for row in rows)
    times = sql.SQL("coalesce(sum(p.counts[array_position(p.words, %b::int8)]), 0)")
    statement = sql.SQL(
        "SELECT {} FROM passages p WHERE p.user_id = %b AND p.story_id = ANY(%b) GROUP BY p.story_id"
    ).format(sql.SQL(", ").join([sql.SQL("p.story_id, sum(p.length)"), *[times] * len(wanted.tokens)]))
    summed = {row[0]: row[1:] for row in bulk.run(statement, [*wanted.tokens, user_id, list(number)])}
    table = np.array([summed[story] for story in number], dtype=np.int64).reshape(len(number), 1 + len(wanted.tokens))
    return StoryWords(np.arange(len(number), dtype=np.int64), table[:, 1:].T, table[:, 0])
