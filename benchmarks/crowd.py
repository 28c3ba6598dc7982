"""A crowd to search among: people of Zipf sizes with stories, passages and memories, sealed and cloaked.

What they say is made up, unless it is taken from conversations (benchmarks.peers.conversations). Made-up vectors have
the structure measured on real ones: cosines of 0.34 within a conversation, 0.22 across, about 70 effective dimensions.
Words follow Zipf too. Rows are COPYed past the checks by the server's superuser, which only a throw-away database
allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from tqdm import tqdm

from vibe.core.db.configured import embedded_server

DIMENSIONS, EFFECTIVE = 512, 70
ACROSS, WITHIN = 0.22, 0.34
STORY, VOCABULARY, WORDS = 25, 6_000, 20
ZIPF = 1.15
START = datetime(2026, 1, 1, tzinfo=UTC)


class Space:
    """Draws vectors (n, 512) of length 1."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        spectrum = np.exp(-2 * np.arange(DIMENSIONS) / EFFECTIVE)  # (sum s)^2 / sum s^2 = EFFECTIVE
        self.scales = np.sqrt(spectrum / spectrum.sum()).astype(np.float32)
        self.basis = np.linalg.qr(self.rng.standard_normal((DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
        self.mean = self.noise(1)[0]

    def noise(self, count: int) -> Any:
        drawn = self.rng.standard_normal((count, DIMENSIONS), dtype=np.float32) * self.scales
        drawn @= self.basis.T
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def messages(self, count: int) -> Any:
        """`count` vectors in conversations of STORY each."""
        own = self.noise(-(-count // STORY)).repeat(STORY, axis=0)[:count]
        vectors = np.sqrt(ACROSS) * self.mean + np.sqrt(WITHIN - ACROSS) * own + np.sqrt(1 - WITHIN) * self.noise(count)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def like(self, vector: Any, share: float = 0.75) -> Any:
        """A question about it."""
        asked = share * vector + np.sqrt(1 - share**2) * self.noise(1)[0]
        return (asked / np.linalg.norm(asked)).astype(np.float32)


Words = list[list[str]]
"""The words of each message, with repeats."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """N messages of one person: their vectors (N, 512), words and texts."""

    vectors: Any
    words: Words
    texts: Sequence[str]


class Source(Protocol):
    """Where it comes from what people say, and what they ask."""

    def said(self, count: int) -> Said:
        """The next person's messages."""

    def asked(self, said: Said, count: int) -> list[tuple[str, Any]]:
        """Questions of a person who said that, each as text and vector."""


class MadeUp:
    """Vectors of a Space, words by Zipf; questions are like one message each and have four of its words."""

    def __init__(self) -> None:
        self.space, self.rng = Space(1), np.random.default_rng(2)

    def said(self, count: int) -> Said:
        words = draw_words(self.rng, count)
        return Said(self.space.messages(count), words, [" ".join(each) for each in words])

    def asked(self, said: Said, count: int) -> list[tuple[str, Any]]:
        return [
            (" ".join(["remember", *self.rng.choice(said.words[at], 4)]), self.space.like(said.vectors[at]))
            for at in self.rng.integers(0, len(said.texts), count)
        ]


@dataclass
class Person:
    """One of the crowd, with a few questions kept: text and vector."""

    id: UUID
    size: int
    in_graph: bool
    questions: list[tuple[str, Any]] = field(default_factory=list)


def sizes(people: int, passages: int) -> list[int]:
    """How many passages each has, most first."""
    shares = np.arange(1, people + 1) ** -ZIPF
    return [max(int(each), 3) for each in passages * shares / shares.sum()]


def make_crowd(
    people: int,
    passages: int,
    *,
    questions: int,
    exact_up_to: int,
    quiet: bool,
    source: Source | None = None,
    plain: bool = True,
) -> list[Person]:
    """Fill the database, and the table of plain vectors if `plain`. The graph's indexes are built last, in one go."""

    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor

    source, crowd = source or MadeUp(), []
    with embedded_server().connect() as server:
        make_room(server)
        dropped = drop_indexes(server)
        for number, size in enumerate(tqdm(sizes(people, passages), unit="people", disable=quiet)):
            user_id = ensure_person(profile=Profile(firebase_uid=f"crowd-{number}"), actor=Actor.system("benchmark"))
            said = source.said(size)
            person = Person(user_id, size, size > exact_up_to, source.asked(said, questions))
            fill(server, person, said.vectors, said.words, said.texts, plain=plain)
            crowd.append(person)
        build_indexes(server, dropped, plain=plain)
    return crowd


def vector_alone(vector: Any) -> Any:
    """What is looked for by a cloaked vector and nothing else, as stories.search takes it."""
    from stories.search.candidates import Wanted

    return Wanted(
        tokens=(), asked=(), asks_mark=0, dates_mark=0, tongue_mark=0, in_english=True, when=False,
        vector=vector, model=0, speaker=None,
    )  # fmt: skip


def make_room(server: Any) -> None:
    """Let the superuser COPY past the checks, and beside the product's table make one of vectors as they are."""
    from pgvector.psycopg import register_vector

    register_vector(server)
    server.execute("SET session_replication_role = replica; SET synchronous_commit = off")
    server.execute("CREATE TABLE plain_passages (id uuid, user_id uuid, embedding halfvec(512), text text)")


def drop_indexes(server: Any) -> list[str]:
    """Drop the graphs and the index of words, and return how they are made."""
    rows = server.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE indexname ~ '^(passages|stories)_embedding|^passages_words'"
    ).fetchall()
    server.execute("; ".join(f"DROP INDEX {name}" for name, _ in rows))
    return [definition for _, definition in rows]


def build_indexes(server: Any, dropped: Sequence[str], *, plain: bool = True) -> None:
    """Those that were dropped, in one go; and the usual ones of the plain table."""
    server.execute("SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 2")
    server.execute("; ".join(dropped))
    if plain:
        server.execute("CREATE INDEX ON plain_passages USING hnsw (embedding halfvec_cosine_ops)")
        server.execute("CREATE INDEX ON plain_passages (user_id)")
        server.execute("GRANT SELECT ON plain_passages TO vibe_user")
    server.execute("VACUUM ANALYZE")
    server.execute("CHECKPOINT")  # or what was written is still being written out while something is measured


def draw_numbers(rng: Any, size: int) -> Any:
    """(size, WORDS) word numbers by Zipf."""
    weights = 1 / np.arange(1, VOCABULARY + 1)
    return rng.choice(VOCABULARY, (size, WORDS), p=weights / weights.sum())


def draw_words(rng: Any, size: int) -> Words:
    """`size` times WORDS words by Zipf."""
    return [[f"w{number}" for number in row] for row in draw_numbers(rng, size).tolist()]


def fill(
    server: Any, person: Person, vectors: Any, words: Words, texts: Sequence[str] | None = None, *, plain: bool = True
) -> None:
    """One person's conversations, memories, stories, passages and search set. Without texts they say their words."""
    from pgvector import HalfVector

    from accounts.keys.services.data_keys import open_vault
    from memories.payload import Payload
    from stories.index.entries import FORM
    from stories.processors.configured import embedder
    from stories.text.passages import speaker_token
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.scopes import as_user

    with as_user(person.id):
        vault = open_vault()
    user, size, graph = person.id, person.size, person.in_graph
    texts = texts or [" ".join(each) for each in words]
    token = {word: vault.index.token("word", word) for word in {word for each in words for word in each}}
    rotated = vault.cloak(DIMENSIONS).apply(vectors)
    count = -(-size // STORY)
    conversations, stories, memories = ([uuid7() for _ in range(each)] for each in (count, count, size))
    payloads = vault.seal_all(
        "encrypted_memories",
        "payload",
        ((row, 1, Payload("Ada", text).encode()) for row, text in zip(memories, texts, strict=True)),
    )
    names = {
        column: vault.seal_all("stories", column, ((each, 1, "[]") for each in stories))
        for column in ("title", "text", "people", "places", "events")
    }
    moments = [START + timedelta(hours=each) for each in range(size)]
    of = [at // STORY for at in range(size)]
    messages = [min(STORY, size - first * STORY) for first in range(count)]
    lengths = [sum(map(len, words[first * STORY : (first + 1) * STORY])) for first in range(count)]
    copy(server, "conversations", "id uuid, user_id uuid, is_archived bool, memory_count int4, started_at timestamptz, "
         "active_at timestamptz, revision int4, updated_at timestamptz",
         ((each, user, False, 0, START, START, 1, START) for each in conversations))  # fmt: skip
    copy(server, "encrypted_memories", "id uuid, user_id uuid, conversation_id uuid, message_ids varchar[], "
         "payload bytea, occurred_at timestamptz, revision int4",
         ((row, user, conversations[of[at]], [f"m{at}"], payloads[at].ciphertext, moments[at], 1)
          for at, row in enumerate(memories)))  # fmt: skip
    sealed = ("title", "text", "people", "places", "events")
    copy(server, "stories", "id uuid, user_id uuid, conversation_id uuid, title bytea, text bytea, people bytea, "
         "places bytea, events bytea, people_index int8[], places_index int8[], events_index int8[], "
         "occurred_from timestamptz, occurred_to timestamptz, is_open bool, memory_count int4, memory_ids uuid[], "
         "passage_count int4, word_count int4, in_graph bool, processor text, embedder text, tries int2, failure text, "
         "revision int4, built_at timestamptz",
         ((row, user, conversations[at], *(names[column][at].ciphertext for column in sealed), [], [], [],
           START, START, False, messages[at], [], messages[at], lengths[at], graph, "made-up", embedder().name, 0, "",
           1, START)
          for at, row in enumerate(stories)))  # fmt: skip
    speaker = speaker_token(vault, "Ada")
    tokens = [sorted({token[word] for word in each}) for each in words]
    copy(server, "passages", "id uuid, user_id uuid, conversation_id uuid, story_id uuid, memory_id uuid, "
         "memory_revision int4, part int2, role text, speaker int8, words int8[], length int4, "
         "occurred_at timestamptz, embedding halfvec, model int2, form int2, in_graph bool",
         ((uuid7(), user, conversations[of[at]], stories[of[at]], row, 1, 0, "user", speaker, tokens[at],
           len(words[at]), moments[at], HalfVector(rotated[at]), 0, FORM, graph)
          for at, row in enumerate(memories)))  # fmt: skip
    if plain:
        copy(server, "plain_passages", "id uuid, user_id uuid, embedding halfvec, text text",
             ((row, user, HalfVector(vectors[at]), texts[at]) for at, row in enumerate(memories)))  # fmt: skip
    copy(server, "search_sets", "id uuid, user_id uuid, passages int4, words int8, in_graph bool, embedder text, "
         "model int2", [(uuid7(), user, size, sum(lengths), graph, embedder().name, 0)])  # fmt: skip


def copy(server: Any, table: str, columns: str, rows: Any) -> None:
    """COPY in binary; `columns` as "name type, name type"."""
    named = [each.split() for each in columns.split(", ")]
    statement = f"COPY {table} ({', '.join(name for name, _ in named)}) FROM STDIN (FORMAT BINARY)"
    with server.cursor().copy(statement) as target:
        target.set_types([kind for _, kind in named])
        for row in rows:
            target.write_row(row)
