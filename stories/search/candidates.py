"""What comes into question for a search, as rows and as arrays; of a small set that is everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from stories.search.bm25 import Collection
from stories.search.ranking import Passages, StoryWords
from vibe.core.db.statements import bulk

EXACT, HNSW = "exact", "hnsw"

EVERY = "SELECT {columns} FROM passages p WHERE p.user_id = %(user)b"
EVERY_OF = f"{EVERY} AND p.story_id = ANY(%(of)b::uuid[])"

ID = 16
"""Bytes of an id."""
NO_ID = bytes(ID)


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
    """What the ranker must know of all of a person's passages when given a part: see stories.search.ranking.Ranker."""

    collection: Collection
    story_words: StoryWords
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
    passages: Passages
    backdrop: Backdrop | None = None

    def memory(self, at: int) -> UUID | None:
        """The memory of a passage; None for that of a correction."""
        found = self.memories[ID * at : ID * (at + 1)]
        return None if found == NO_ID else UUID(bytes=found)

    def story(self, at: int) -> UUID:
        """The story of a passage."""
        return UUID(bytes=self.stories[ID * at : ID * (at + 1)])


def exact(user_id: UUID, wanted: Wanted, stories: Sequence[UUID] | None) -> Found:
    """Every passage of the person, or of these stories of theirs."""
    statement = EVERY if stories is None else EVERY_OF
    return read(EXACT, statement, {"user": user_id, "of": stories and list(stories)}, wanted)


def columns(wanted: Wanted) -> str:
    """What is fetched of passages: each kind of value as the bytes of all of them, one after the other.

    Thousands are read for an answer, and to make an object of each value would take as long as finding them.
    """
    likeness = "NULL" if wanted.vector is None else "1 - (p.embedding <=> %(vector)b::halfvec)"
    each = [
        f"uuid_send(coalesce(p.memory_id, '{UUID(bytes=NO_ID)}'))",
        "uuid_send(p.story_id)",
        "int4send(p.position)",
        "int8send(p.speaker)",
        "int4send(p.length)",
        f"float8send(coalesce({likeness}, 'NaN'::float8))",
        *(f"int2send({times(number)})" for number in range(len(wanted.tokens) + 2)),
    ]
    return ", ".join(f"string_agg({one}, ''::bytea)" for one in each)


def times(number: int) -> str:
    """How often a passage has the token of this number, 0 for not at all.

    A passage has its words in rising order (stories.building.blinding), so the place of one is found by halving.
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


def read(strategy: str, statement: str, given: Mapping[str, Any], wanted: Wanted) -> Found:
    """What a statement with `{columns}` finds. Its parameters are `given`, and those of `columns`."""
    statement, asked = statement.format(columns=columns(wanted)), {**column_values(wanted), **given}
    [row] = bulk.run(statement, asked, vectors=True, binary=True, prepared=True)
    memories, stories, position, speaker, length, likeness, *counted = (value or b"" for value in row)
    *counts, asking, dated = (numbers(each, ">i2") for each in counted)
    number = numbered(stories)
    return Found(
        strategy,
        memories,
        stories,
        Passages(
            story=np.array([number[story] for story in ids(stories)], dtype=np.int64),
            position=numbers(position, ">i4"),
            counts=np.array(counts, dtype=np.int64).reshape(len(wanted.tokens), len(asking)),
            lengths=numbers(length, ">i4"),
            similarity=None if wanted.vector is None else np.frombuffer(likeness, ">f8").astype(np.float64),
            asking=asking.astype(np.bool_),
            dated=dated.astype(np.bool_) if wanted.when else None,
            spoken=None if wanted.speaker is None else numbers(speaker, ">i8") == wanted.speaker,
        ),
    )


def numbers(sent: bytes, kind: str) -> NDArray[np.int64]:
    """Whole numbers as PostgreSQL sends them."""
    return np.frombuffer(sent, kind).astype(np.int64)


def ids(sent: bytes) -> list[bytes]:
    """Each id."""
    return [sent[at : at + ID] for at in range(0, len(sent), ID)]


def numbered(stories: bytes) -> dict[bytes, int]:
    """Each story's number, counted from 0 as they appear."""
    return {story: number for number, story in enumerate(dict.fromkeys(ids(stories)))}
