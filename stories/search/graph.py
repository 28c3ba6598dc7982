"""Fetches the candidates of a set too large to read: the likest, the best by words, and what stands near them.

With it comes what the ranker must know of all the rest: how often each word stands, the least likeness of a sample.
Measured, the ranking then equals that over every passage of the person (docs/search.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from pgvector import HalfVector

from stories.models import SearchSet
from stories.search.bm25 import Collection, Counts
from stories.search.candidates import EXACT, HNSW, Backdrop, Found, Wanted, numbered, read, times, token_values
from stories.search.filters import Scope
from stories.search.ranking import StoryWords
from stories.search.word_index import MOST_ROWS, Place, Stands, best_by_words, stands
from vibe.core.db.statements import bulk
from vibe.core.db.statements.connection import current_connection

LIKEST = 40
"""Passages taken from the graph, at the least; for a longer answer more."""
EF_SEARCH = 400
"""How far the graph is searched at a time; the iterative scan goes on from there."""
MOST_SCANNED = 20_000
"""Rows of the graph that are looked at for one question at most; what is missing then is fetched exactly."""
NEAR = 2
"""Messages before and after a candidate that come with it: as far as stories.search.weights looks."""
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

# {of} is a condition on the stories, {columns} and {sums} are made by stories.search.candidates.
IN_GRAPH = (
    "SELECT p.story_id, p.position FROM passages p WHERE p.in_graph AND p.user_id = %b {of} "
    "ORDER BY p.embedding <=> %b::halfvec LIMIT %b"
)
OF_ALL = (
    "SELECT p.story_id, p.position FROM passages p WHERE p.user_id = %b {of} "
    "AND p.embedding IS NOT NULL ORDER BY p.embedding <=> %b::halfvec, p.id LIMIT %b"
)
A_FEW = "SELECT id, count(*) OVER () FROM stories WHERE user_id = %b ORDER BY hashtext(id::text), id LIMIT %b"
SAMPLE = (
    "SELECT {columns} FROM (SELECT * FROM passages WHERE user_id = %(user)b "
    "AND story_id = ANY(%(stories)b::uuid[]) LIMIT %(limit)b) p"
)
AT_PLACES = (
    "SELECT {columns} FROM unnest(%(stories)b::uuid[], %(places)b::int4[]) AS at(story, place) "
    "JOIN passages p ON p.user_id = %(user)b AND p.story_id = at.story AND p.position = at.place"
)
SUMMED = (
    "SELECT uuid_send(p.story_id), {sums} FROM passages p "
    "WHERE p.user_id = %(user)b AND p.story_id = ANY(%(stories)b::uuid[]) GROUP BY p.story_id"
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
    current_connection().hold(STEERED, telling=True)
    found = with_neighbours(strategy, user_id, wanted, places)
    story_collection = Collection(
        sample.stories, search_set.words / max(sample.stories, 1), frequencies(each.stories for each in there)
    )
    words = whole_stories(user_id, wanted, found)
    current_connection().hold(RELEASED, telling=True)
    return replace(found, backdrop=Backdrop(collection, words, story_collection, sample.floor))


def nearest(user_id: UUID, vector: HalfVector, stories: Sequence[UUID] | None, limit: int) -> list[Place]:
    """The likest, as (story, position), the likest first; the graph is walked on until they are enough.

    With sorting switched off only an index that gives the order can serve, and under `in_graph` there is one. It may
    come short: a person's vectors are an island, and now and then the walk ends before it gets there.
    """
    current_connection().hold(WALK.format(ef_search=max(EF_SEARCH, min(limit, 1000))), telling=True)
    likest = by_likeness(IN_GRAPH, user_id, vector, stories, limit, prepared=False)
    current_connection().hold(WALKED, telling=True)
    return likest


def nearest_of_all(user_id: UUID, vector: HalfVector, stories: Sequence[UUID] | None, limit: int) -> list[Place]:
    """The same by looking at every one of the person's vectors: for sets outside the graph, or if it came short.

    Without `in_graph` in its condition no index of distances can serve.
    """
    return by_likeness(OF_ALL, user_id, vector, stories, limit, prepared=True)


def by_likeness(
    statement: str, user_id: UUID, vector: HalfVector, stories: Sequence[UUID] | None, limit: int, *, prepared: bool
) -> list[Place]:
    """What a statement of nearness gives."""
    of, given = ("", []) if stories is None else ("AND p.story_id = ANY(%b::uuid[])", [list(stories)])
    asked = [user_id, *given, vector, limit]
    return bulk.run(statement.format(of=of), asked, vectors=True, prepared=prepared)  # type: ignore[return-value]


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


def with_neighbours(strategy: str, user_id: UUID, wanted: Wanted, places: Sequence[Place]) -> Found:
    """Everything about the passages at these places, and up to NEAR before and after each."""
    spread = dict.fromkeys(
        (story, at + step) for story, at in places for step in range(-NEAR, NEAR + 1) if at + step >= 0
    )
    there = {"stories": [story for story, _ in spread], "places": [place for _, place in spread]}
    return read(strategy, AT_PLACES, {"user": user_id, **there}, wanted)


def newest(user_id: UUID, stories: Sequence[UUID] | None, without: set[UUID], limit: int) -> list[Place]:
    """The beginnings of further stories, for when neither words nor vectors lead to as many as were asked for."""
    rows = bulk.run(
        "SELECT s.id, (SELECT min(p.position) FROM passages p WHERE p.user_id = s.user_id AND p.story_id = s.id) "
        "FROM stories s WHERE s.user_id = %b AND s.id <> ALL(%b) AND (%b::uuid[] IS NULL OR s.id = ANY(%b)) "
        "AND s.passage_count > 0 ORDER BY s.occurred_from DESC, s.id LIMIT %b",
        [user_id, list(without), given := None if stories is None else list(stories), given, limit],
    )
    return [(story, position) for story, position in rows if position is not None]


def whole_stories(user_id: UUID, wanted: Wanted, found: Found) -> StoryWords:
    """How often each word stands in the whole of each candidate's story, and how long that is."""
    number = numbered(found.stories)
    sums = ", ".join(["sum(p.length)", *(f"sum({times(each)})" for each in range(len(wanted.tokens)))])
    stories = [UUID(bytes=each) for each in number]
    rows = bulk.run(SUMMED.format(sums=sums), {**token_values(wanted.tokens), "user": user_id, "stories": stories})
    summed = {story: row for story, *row in rows}
    table = np.array([summed[story] for story in number], dtype=np.int64).reshape(len(number), 1 + len(wanted.tokens))
    return StoryWords(np.arange(len(number), dtype=np.int64), table[:, 1:].T, table[:, 0])
