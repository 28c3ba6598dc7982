"""What comes into question for a search, as rows and as arrays; of a small set that is everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql

from stories.models import SEARCHED
from stories.search.filters import Narrowed
from stories.search.question import TimeSpan
from stories.search.ranking import Passages
from stories.search.scoring import Collection
from vibe.core.db.statements import bulk

EXACT, HNSW = "exact", "hnsw"

EVERY = sql.SQL(f"FROM passages p WHERE p.user_id = %(user)b AND {SEARCHED} {{narrowed}}")

ID = 16
"""Bytes of an id."""
NO_ID = bytes(ID)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From which PostgreSQL counts microseconds."""
MICROSECOND = timedelta(microseconds=1)
FAR = 2**40
"""How far a correction is from the messages of its story."""
MOST_COUNTED = 3
"""Parts of a memory that a word counts in."""
FAR_APART = 10
"""How far passages without a story are from each other: what was said between them may not be at hand."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: blind tokens of the words and of the marks, the cloaked question, who is meant."""

    tokens: Sequence[int]
    asked: Sequence[int]
    """How often the question has each of the words."""
    asks_mark: int
    dates_mark: int
    tongue_mark: int
    """Of the question's tongue; of every other one for a question `in_english`."""
    in_english: bool
    when: bool
    vector: HalfVector | None
    model: int
    """The number of the model whose vectors can be compared with it: see SearchSet."""
    speaker: int | None
    of_assistant: bool = False
    """What an assistant said is asked for, if there is one."""
    newest: bool = False
    """The newest of what fits is preferred."""
    times: Sequence[TimeSpan] = ()
    """The times that the question names."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """What the ranker must know of all of a person's passages when given a part: see stories.search.ranking.Ranker."""

    collection: Collection
    story_collection: Collection
    floor: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates as ids and as the arrays that are ranked; passages.story counts stories from 0 as they appear.

    Ids are the 16 bytes of each, one after the other: thousands are read, and few are shown.
    """

    strategy: str
    memories: bytes
    """Zeros for the passage of a correction."""
    stories: bytes
    """The conversation's id where the person deleted the story."""
    passages: Passages
    deleted: NDArray[np.bool_]
    """(N,) the person deleted the passage's story."""
    part: NDArray[np.int64]
    """(N,) which window of its memory's text a passage is."""
    backdrop: Backdrop | None = None

    def memory(self, at: int) -> UUID | None:
        """Return the memory of a passage; None for that of a correction."""
        found = self.memories[ID * at : ID * (at + 1)]
        return None if found == NO_ID else UUID(bytes=found)

    def story(self, at: int) -> UUID:
        """Return the story of a passage."""
        return UUID(bytes=self.stories[ID * at : ID * (at + 1)])


def exact(user_id: UUID, wanted: Wanted, narrowed: Narrowed | None) -> Found:
    """Return every passage of the person, or those that a filter leaves."""
    condition, given = (narrowed.condition, narrowed.values) if narrowed else (sql.SQL(""), {})
    return read(EXACT, EVERY.format(narrowed=condition), {"user": user_id, **given}, wanted)


def columns(wanted: Wanted) -> str:
    """Return what is fetched of passages: each kind of value as the bytes of all of them, one after the other.

    Thousands are read for an answer, and to make an object of each value would take as long as finding them.
    """
    # A vector of another model than the set's cannot be compared.
    likeness = (
        "NULL"
        if wanted.vector is None
        else "CASE WHEN p.model = %(model)b THEN 1 - (p.embedding <=> %(vector)b::halfvec) END"
    )
    each = [
        f"uuid_send(coalesce(p.memory_id, '{UUID(bytes=NO_ID)}'))",
        "uuid_send(coalesce(p.story_id, p.conversation_id))",
        "int2send(CASE WHEN p.story_id IS NULL THEN 1::int2 ELSE 0::int2 END)",
        "timestamptz_send(p.occurred_at)",
        "int2send(p.part)",
        "int8send(p.speaker)",
        "int2send(CASE WHEN p.role IN ('assistant', 'tool', 'system') THEN 1::int2 ELSE 0::int2 END)",
        "int4send(p.length)",
        f"float8send(coalesce({likeness}, 'NaN'::float8))",
        *(f"int2send({holds(number)})" for number in range(len(wanted.tokens) + 3)),
    ]
    return ", ".join(f"string_agg({one}, ''::bytea)" for one in each)


def holds(number: int) -> str:
    """1 where a passage has the token of this number, else 0.

    A passage has its words in rising order (stories.text.passages), so the place of one is found by halving.
    """
    token = f"(%(token{number})b)::int8"  # written out it may be negative, and :: binds closer than the sign
    place = f"width_bucket({token}, p.words)"
    return f"CASE WHEN p.words[{place}] = {token} THEN 1::int2 ELSE 0::int2 END"


def column_values(wanted: Wanted) -> dict[str, Any]:
    """Return the parameters of `columns`."""
    tokens = token_values([*wanted.tokens, wanted.asks_mark, wanted.dates_mark, wanted.tongue_mark])
    return {**tokens, "vector": wanted.vector, "model": wanted.model}


def token_values(tokens: Iterable[int]) -> dict[str, int]:
    """Return the parameters of `holds`."""
    return {f"token{number}": token for number, token in enumerate(tokens)}


def read(strategy: str, source: sql.Composable, given: Mapping[str, Any], wanted: Wanted) -> Found:
    """Return the passages `p` that a FROM and what follows it name, with parameters `given`."""
    statement = sql.SQL("SELECT {} {}").format(sql.SQL(columns(wanted)), source).as_string(None)  # type: ignore[arg-type]
    [row] = bulk.run(statement, {**column_values(wanted), **given}, vectors=True, binary=True, prepared=True)
    memories, stories, deleted, occurred_at, part, *sent = in_time([value or b"" for value in row])
    speaker, machine, length, likeness, *counted = sent
    *counts, asking, dated, tongue = (numbers(each, ">i2") for each in counted)
    story = numbered(stories)
    gone = numbers(deleted, ">i2").astype(np.bool_)
    author, assistant = numbers(speaker, ">i8"), numbers(machine, ">i2").astype(np.bool_)
    parts = numbers(part, ">i2")
    place = positions(story, numbers(occurred_at, ">i8"), memories, parts)
    return Found(
        strategy,
        memories,
        stories,
        Passages(
            story=story,
            position=np.where(gone, place * FAR_APART, place),
            counts=by_parts(np.array(counts, dtype=np.int64).reshape(len(wanted.tokens), len(asking)), memories, parts),
            lengths=numbers(length, ">i4"),
            similarity=None if wanted.vector is None else np.frombuffer(likeness, ">f8").astype(np.float64),
            asking=asking.astype(np.bool_),
            dated=dated.astype(np.bool_) if wanted.when else None,
            foreign=tongue.astype(np.bool_) == wanted.in_english,
            spoken=spoken_by(wanted, author, assistant),
            timely=timeliness(wanted.times, numbers(occurred_at, ">i8")) if wanted.times else None,
            said_at=numbers(occurred_at, ">i8") if wanted.newest else None,
            author=author,
            assistant=assistant if assistant.any() else None,
        ),
        gone,
        parts,
    )


def by_parts(counts: NDArray[np.int64], memories: bytes, part: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return in how many parts of its memory a word stands, up to MOST_COUNTED, for each part that has it.

    How often a word stands in a text is not stored; of a long one this tells something. Parts of a memory follow each
    other.
    """
    if not part.any():
        return counts
    halves = np.frombuffer(memories, ">u8").reshape(-1, 2)
    begins = np.ones(len(part), dtype=np.bool_)
    begins[1:] = (part[1:] == 0) | (halves[1:] != halves[:-1]).any(axis=1)
    starts = np.flatnonzero(begins)
    together = np.add.reduceat(counts, starts, axis=1)[:, np.cumsum(begins) - 1]
    return np.minimum(together, MOST_COUNTED) * counts


def in_time(sent: list[bytes]) -> list[bytes]:
    """Return columns in the order in which it was said: of equal passages the first is ranked first.

    The order in which rows come depends on how the database reads them.
    """
    memories, _, _, occurred_at, part, *_ = sent
    count = len(memories) // ID
    if not count:
        return sent
    halves = np.frombuffer(memories, ">u8").reshape(-1, 2)
    order = np.lexsort((numbers(part, ">i2"), halves[:, 1], halves[:, 0], numbers(occurred_at, ">i8")))
    return [np.frombuffer(each, f"V{len(each) // count}")[order].tobytes() for each in sent]


def spoken_by(wanted: Wanted, author: NDArray[np.int64], assistant: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return which passages the one whom the question is about said; None if it is about nobody."""
    if wanted.of_assistant and assistant.any():
        return assistant
    return None if wanted.speaker is None else author == wanted.speaker


def timeliness(spans: Sequence[TimeSpan], occurred_at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 for what was said within a span, half of it one length of the span away, a third at two; never 0.

    People tell of a time afterwards as well, so what is near it counts too. A span of less than a day fades like a day.
    """
    nearest = np.zeros(len(occurred_at))
    for span in spans:
        begins, ends = ((each - EPOCH) / MICROSECOND for each in span)
        away = np.maximum(np.maximum(begins - occurred_at, occurred_at - ends), 0.0)
        nearest = np.maximum(nearest, 1 / (1 + away / max(ends - begins, 1.0)))
    return nearest


def positions(
    story: NDArray[np.int64], occurred_at: NDArray[np.int64], memories: bytes, part: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the place of each passage in its story, by time, memory and part; a correction stands far from all."""
    halves = np.frombuffer(memories, ">u8").reshape(-1, 2)
    order = np.lexsort((part, halves[:, 1], halves[:, 0], occurred_at, story))
    place = np.empty(len(story), dtype=np.int64)
    place[order] = np.arange(len(story))
    place[(halves == 0).all(axis=1)] += FAR
    return place


def numbers(sent: bytes, kind: str) -> NDArray[np.int64]:
    """Whole numbers as PostgreSQL sends them."""
    return np.frombuffer(sent, kind).astype(np.int64)


def numbered(stories: bytes) -> NDArray[np.int64]:
    """The story of each passage as a number, counted from 0 as they appear."""
    each = [stories[at : at + ID] for at in range(0, len(stories), ID)]
    number = {story: number for number, story in enumerate(dict.fromkeys(each))}
    return np.array([number[story] for story in each], dtype=np.int64)
