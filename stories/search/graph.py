"""Fetches the candidates of a set too large to read: the nearest, the best by words, and what stands near them.

With it comes what the ranker must know of all the rest: how often each word stands, the least likeness of a sample.
Measured, the ranking then equals that over every passage of the person (docs/search.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import sql

from stories.models import SEARCHED, SearchSet
from stories.search.candidates import EXACT, HNSW, Backdrop, Found, Wanted, read
from stories.search.filters import Narrowed
from stories.search.scoring import Collection, Counts
from stories.search.word_index import MOST_ROWS, Place, Stands, best_by_words, stands
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import current_connection

NEAREST = 40
"""Passages taken from the graph, at the least; for a longer answer more."""
EF_SEARCH = 400
"""How far the graph is searched at a time; the iterative scan goes on from there."""
MOST_SCANNED = 20_000
"""Rows of the graph that are looked at for one question at most; what is missing then is fetched exactly."""
SAMPLED_STORIES = 10
SAMPLED_PASSAGES = 300

# The planner is left one way to fetch a few rows by their keys. (No table is read whole in a person's scope anyway.)
WAYS = ("enable_bitmapscan", "enable_hashjoin", "enable_mergejoin")
STEERED = "; ".join(f"SET LOCAL {way} = off" for way in WAYS)
RELEASED = "; ".join(f"SET LOCAL {way} = on" for way in WAYS)
WALK = (
    "SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {ef_search}; "
    f"SET LOCAL hnsw.max_scan_tuples = {MOST_SCANNED}; SET LOCAL enable_sort = off; {STEERED}"
)
WALKED = f"SET LOCAL enable_sort = on; {RELEASED}"

BY_LIKENESS = (
    "SELECT p.id, p.story_id, {vector} <=> %(vector)b::halfvec FROM passages p WHERE {which} "  # noqa: S608
    f"AND p.user_id = %(user)b AND p.model = %(model)b AND {SEARCHED} {{narrowed}} "
    "ORDER BY {vector} <=> %(vector)b::halfvec {tie} "
    "LIMIT %(limit)b"
)
A_FEW = "SELECT id, count(*) OVER () FROM stories WHERE user_id = %b ORDER BY hashtext(id::text), id LIMIT %b"
SAMPLE = sql.SQL(
    "FROM (SELECT * FROM passages WHERE user_id = %(user)b "
    "AND story_id = ANY(%(stories)b::uuid[]) AND length > 0 LIMIT %(limit)b) p"
)
WHOLE_STORIES = sql.SQL(
    "FROM (SELECT * FROM passages WHERE user_id = %(user)b AND story_id = ANY(%(stories)b::uuid[]) UNION ALL "  # noqa: S608
    "SELECT * FROM passages WHERE user_id = %(user)b AND id = ANY(%(alone)b::uuid[])) p "
    f"WHERE {SEARCHED} {{narrowed}}"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A few stories of the person, the same each time: how unlike the question things are, how common its words."""

    stories: int
    """How many stories the person has."""
    floor: float | None
    shares: list[float]
    """(T,) the share of passages that hold each word."""


def likeliest(
    user_id: UUID, wanted: Wanted, narrowed: Narrowed | None, search_set: SearchSet, *, strategy: str, limit: int
) -> Found:
    """Return the candidates, enough for `limit` stories or memories if there are as many.

    Each comes with the whole of its story: an episode is short, and what stands next to a passage speaks for it.
    """
    many = max(NEAREST, 3 * limit)
    near: list[Place] = []
    if wanted.vector is not None:
        if strategy == HNSW:
            near = nearest(user_id, wanted, narrowed, many)
        if len(near) < min(many, search_set.passages if narrowed is None else narrowed.passages):
            strategy, near = EXACT, nearest_of_all(user_id, wanted, narrowed, many)
    sample = sampled(user_id, wanted)
    counted = zip(stands(user_id, wanted.tokens), sample.shares, strict=True)
    there = [estimated(each, share, sample, search_set) for each, share in counted]
    collection = Collection(
        search_set.passages,
        search_set.words / max(search_set.passages, 1),
        frequencies(each.passages for each in there),
    )
    worded = best_by_words(user_id, telling(wanted, there, collection), narrowed, collection, many)
    places = dict([*worded, *near])
    found_stories = {story for story in places.values() if story}
    if (missing := limit - len(found_stories)) > 0:
        found_stories |= newest(user_id, narrowed, found_stories, missing)
    given = {
        "user": user_id,
        "stories": list(found_stories),
        "alone": [row_id for row_id, story in places.items() if story is None],
        **(narrowed.values if narrowed else {}),
    }
    current_connection().hold(STEERED, telling=True)
    found = read(
        strategy, WHOLE_STORIES.format(narrowed=narrowed.condition if narrowed else sql.SQL("")), given, wanted
    )
    current_connection().hold(RELEASED, telling=True)
    story_collection = Collection(
        sample.stories, search_set.words / max(sample.stories, 1), frequencies(each.stories for each in there)
    )
    return replace(found, backdrop=Backdrop(collection, story_collection, sample.floor))


def nearest(user_id: UUID, wanted: Wanted, narrowed: Narrowed | None, limit: int) -> list[Place]:
    """Return the nearest passages with their stories, nearest first; the graph is walked on until they are enough.

    Sorting is switched off, so PostgreSQL takes the index that gives the order, the graph under `in_graph`. It may
    return too few: the vectors of one person are close together, and the walk sometimes ends before it reaches them.
    Passages added since the last move into the graph are compared one by one.
    """
    current_connection().hold(WALK.format(ef_search=max(EF_SEARCH, min(limit, 1000))), telling=True)
    width = wanted.vector.dimensions() if wanted.vector else 0
    inside = by_likeness(
        f"p.in_graph AND vector_dims(p.embedding) = {width}",
        *(user_id, wanted, narrowed, limit),
        vector=f"p.embedding::halfvec({width})",  # the graph of that width: see stories.models.graph_of
        prepared=False,
    )
    current_connection().hold(WALKED, telling=True)
    outside = by_likeness("NOT p.in_graph", user_id, wanted, narrowed, limit, tie=", p.id", prepared=True)
    return [(row_id, story) for row_id, story, _ in sorted([*inside, *outside], key=lambda row: row[2])[:limit]]


def nearest_of_all(user_id: UUID, wanted: Wanted, narrowed: Narrowed | None, limit: int) -> list[Place]:
    """Return the same by looking at every one of the person's vectors: for sets outside the graph, or if it came short.

    Without `in_graph` in its condition no index of distances can serve.
    """
    rows = by_likeness("p.embedding IS NOT NULL", user_id, wanted, narrowed, limit, tie=", p.id", prepared=True)
    return [(row_id, story) for row_id, story, _ in rows]


def by_likeness(
    which: str,
    user_id: UUID,
    wanted: Wanted,
    narrowed: Narrowed | None,
    limit: int,
    *,
    prepared: bool,
    vector: str = "p.embedding",
    tie: str = "",
) -> list[tuple[Any, ...]]:
    """Return passage, story and distance of the nearest passages that have a vector."""
    condition, values = (narrowed.condition, narrowed.values) if narrowed else (sql.SQL(""), {})
    parts = {name: sql.SQL(part) for name, part in (("which", which), ("vector", vector), ("tie", tie))}  # type: ignore[arg-type]
    statement = sql.SQL(BY_LIKENESS).format(narrowed=condition, **parts)
    given = {"user": user_id, "vector": wanted.vector, "model": wanted.model, "limit": limit, **values}
    rows = bulk.run(statement.as_string(None), given, vectors=True, prepared=prepared)
    return [row for row in rows if row[2] is not None]


def sampled(user_id: UUID, wanted: Wanted) -> Sample:
    """Look at a few stories, taken by a hash of their ids."""
    chosen = bulk.run(A_FEW, [user_id, SAMPLED_STORIES])
    few = {"stories": [story for story, _ in chosen], "limit": SAMPLED_PASSAGES}
    passages = read(HNSW, SAMPLE, {"user": user_id, **few}, wanted).passages
    known = passages.similarity is not None and np.isfinite(passages.similarity).any()
    return Sample(
        stories=chosen[0][1] if chosen else 0,
        floor=float(np.nanmin(passages.similarity)) if known and passages.similarity is not None else None,
        shares=[np.count_nonzero(row) / max(len(passages), 1) for row in passages.counts],
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


def newest(user_id: UUID, narrowed: Narrowed | None, without: set[UUID], limit: int) -> set[UUID]:
    """Return further stories, for when neither words nor vectors lead to as many as were asked for."""
    condition, values = (narrowed.condition, narrowed.values) if narrowed else (sql.SQL(""), {})
    statement = sql.SQL(
        "SELECT s.id FROM stories s WHERE s.user_id = %(user)b AND s.id <> ALL(%(without)b::uuid[]) AND EXISTS "  # noqa: S608
        "(SELECT FROM passages p WHERE p.user_id = s.user_id AND p.story_id = s.id AND " + SEARCHED + " {}) "
        "ORDER BY s.occurred_from DESC, s.id LIMIT %(limit)b"
    ).format(condition)
    rows = bulk.run(statement, {"user": user_id, "without": list(without), "limit": limit, **values})
    return {row_id for (row_id,) in rows}
