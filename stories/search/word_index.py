"""Looks blind words up in the GIN index, for a set too large to be read whole.

Under row-level security PostgreSQL keeps an operator away from an index unless it is sure not to tell of rows that may
not be shown, and it is sure of none for arrays. The condition of a policy may use the index, so words are looked up as
the role `vibe_words`, whose policy reads: the person's own rows that hold one of the words in the setting `vibe.words`.

Each look-up reads a bounded number of rows, whatever the words: of a word that stands in more, how often it stands is
estimated from a sample, and it brings no candidates, which it would hardly tell apart anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from stories.models import SEARCHED
from stories.search.filters import Narrowed
from stories.search.scoring import Collection, Weights
from vibe.core.db.roles import USER, WORDS
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_literal_batch, set_role_sql

MOST_ROWS = 3_000
"""Rows that are read for one word, and for all candidates together."""

# Only bitmap scans: of the words' index, or of the person's rows where that is less.
BITMAPS_ALONE, ANY_SCAN = sql.SQL("SET LOCAL enable_indexscan = off"), sql.SQL("SET LOCAL enable_indexscan = on")

Place = tuple[UUID, UUID | None]
"""A passage and its story."""


@dataclass(frozen=True, slots=True)
class Stands:
    """In how many passages and stories a word stands; `common` if it was not counted to the end."""

    passages: int
    stories: int

    @property
    def common(self) -> bool:
        return self.passages >= MOST_ROWS


def stands(user_id: UUID, tokens: Sequence[int]) -> list[Stands]:
    """Of each token how often it stands among the person's passages, counted up to MOST_ROWS."""
    if not tokens:
        return []
    look_up = sql.SQL(
        "SELECT count(*), count(DISTINCT story_id) FROM "
        "(SELECT story_id FROM passages WHERE user_id = {user} LIMIT {most}) AS there"
    ).format(user=sql.Literal(user_id), most=sql.Literal(MOST_ROWS))
    counted = as_words([statement for token in tokens for statement in (asking_for([token]), look_up)])
    return [Stands(*row) for [row] in counted]


def best_by_words(
    user_id: UUID,
    weighed: Sequence[tuple[int, float]],
    narrowed: Narrowed | None,
    collection: Collection,
    limit: int,
) -> list[Place]:
    """Return the passages with the best BM25 of the tokens, given with the weight of each.

    A filter is applied afterwards, to as many as are read: its tables are not for the role that looks words up.
    """
    if not weighed:
        return []
    knobs, mean = Weights(), sql.Literal(max(collection.mean_length, 1.0))
    score = sql.SQL(" + ").join(
        sql.SQL(
            "CASE WHEN {token}::int8 = ANY (words) THEN "
            "{weight}::float8 / (1 + {k1} * (1 - {b} + {b} * length / {mean})) ELSE 0 END"
        ).format(weight=weight, token=token, k1=knobs.saturation, b=knobs.length, mean=mean)
        for token, weight in weighed
    )
    statement = sql.SQL(
        "SELECT id, story_id FROM "
        "(SELECT id, story_id, words, length FROM passages WHERE user_id = {user} LIMIT {most}) "
        "AS p ORDER BY {score} DESC, id LIMIT {limit}"
    ).format(
        user=sql.Literal(user_id),
        most=sql.Literal(MOST_ROWS),
        score=score,
        limit=sql.Literal(limit if narrowed is None else MOST_ROWS),
    )
    [rows] = as_words([asking_for([token for token, _ in weighed]), statement])
    best: list[Place] = [(row_id, story) for row_id, story in rows]
    return best if narrowed is None else left_of(user_id, best, narrowed)[:limit]


def left_of(user_id: UUID, best: Sequence[Place], narrowed: Narrowed) -> list[Place]:
    """Return those of the passages that a filter leaves, in the same order."""
    statement = sql.SQL(
        f"SELECT p.id FROM passages p WHERE p.user_id = %(user)b AND p.id = ANY(%(ids)b::uuid[]) AND {SEARCHED} {{}}"  # noqa: S608
    )
    given = {"user": user_id, "ids": [row_id for row_id, _ in best], **narrowed.values}
    left = {row_id for (row_id,) in bulk.run(statement.format(narrowed.condition), given)}
    return [place for place in best if place[0] in left]


def asking_for(tokens: Sequence[int]) -> sql.Composable:
    """Tell the policy which words."""
    return sql.SQL("SET LOCAL vibe.words = {}").format(sql.Literal("{" + ",".join(map(str, tokens)) + "}"))


def as_words(statements: Sequence[sql.Composable]) -> list[list[tuple[Any, ...]]]:
    """Run statements as `vibe_words`, and come back to the person's own role."""
    take, back = sql.SQL(set_role_sql(WORDS)), sql.SQL(set_role_sql(USER))  # type: ignore[arg-type]
    return execute_literal_batch([take, BITMAPS_ALONE, *statements, asking_for([]), ANY_SCAN, back])
