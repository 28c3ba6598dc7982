"""pgvector by a careful hand: halfvec, the person's rows sorted exactly while they are few, else the shared HNSW index
with iterative scan; indexes built after the bulk; one statement a search, planned for its values, with nothing set
around it. In the clear, no row-level security, no trail.

With words: the English text search of PostgreSQL beside it, any of the words, fused by reciprocal ranks."""

from __future__ import annotations

import os
import re
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from protocol import run

EXACT_UP_TO = 10_000
EACH = 40
"""Rows taken by words and by vectors each, before they are fused."""
NEAREST = "SELECT id, text FROM memories WHERE owner = %s ORDER BY vector <=> %b LIMIT %s"
EXACTLY = NEAREST.replace("vector <=> %b", "(vector <=> %b) + 0")  # no index gives that order
FUSED = """
WITH nearest AS (
    SELECT id, row_number() OVER (ORDER BY distance) AS rank
    FROM (SELECT id, {distance} AS distance FROM memories WHERE owner = %s ORDER BY 2 LIMIT %s) AS v
), worded AS (
    SELECT id, row_number() OVER (ORDER BY fit DESC) AS rank
    FROM (
        SELECT id, ts_rank_cd(words, asked) AS fit FROM memories, to_tsquery('english', %s) AS asked
        WHERE owner = %s AND words @@ asked ORDER BY 2 DESC LIMIT %s
    ) AS w
), fused AS (
    SELECT id, sum(1.0 / (10 + rank)) AS score
    FROM (SELECT * FROM nearest UNION ALL SELECT * FROM worded) AS both_ways GROUP BY id ORDER BY 2 DESC LIMIT %s
)
SELECT id, text FROM fused JOIN memories USING (id) ORDER BY score DESC
"""


class Tuned:
    def __init__(self) -> None:
        self.connection = psycopg.connect(os.environ["PEER_DSN"], autocommit=True)
        self.connection.execute(
            "CREATE TABLE memories (id bigint PRIMARY KEY, owner int, text text, vector halfvec(512))"
        )
        self.connection.execute(
            "SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 100; SET plan_cache_mode = force_custom_plan"
        )
        register_vector(self.connection)
        self.sizes: dict[int, int] = {}

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        with self.connection.cursor().copy("COPY memories FROM STDIN (FORMAT BINARY)") as rows:
            rows.set_types(["int8", "int4", "text", "halfvec"])
            for number, owner, text, vector in zip(numbers, owners, texts, vectors, strict=True):
                rows.write_row((number, owner, text, HalfVector(vector)))
        for owner in owners:
            self.sizes[owner] = self.sizes.get(owner, 0) + 1

    def built(self) -> None:
        self.connection.execute("SET maintenance_work_mem = '1GB'")
        self.connection.execute("CREATE INDEX ON memories (owner)")
        self.connection.execute("CREATE INDEX ON memories USING hnsw (vector halfvec_cosine_ops)")

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        self.connection.execute(
            "INSERT INTO memories VALUES (%s, %s, %s, %b)", [number, owner, text, HalfVector(vector)]
        )
        self.sizes[owner] = self.sizes.get(owner, 0) + 1

    def settled(self) -> None:
        self.connection.execute("VACUUM ANALYZE memories")

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        statement = NEAREST if self.sizes.get(owner, 0) > EXACT_UP_TO else EXACTLY
        return [number for number, _ in self.connection.execute(statement, [owner, HalfVector(vector), limit])]

    def thorough(self, *, on: bool) -> None:
        self.connection.execute(f"SET hnsw.ef_search = {400 if on else 100}")

    def with_words(self) -> None:
        self.connection.execute(
            "ALTER TABLE memories ADD words tsvector GENERATED ALWAYS AS (to_tsvector('english', text)) STORED"
        )
        self.connection.execute("CREATE INDEX ON memories USING gin (words)")
        self.settled()

    def search_words(self, owner: int, vector: Any, question: str, limit: int) -> list[int]:
        large = self.sizes.get(owner, 0) > EXACT_UP_TO
        statement = FUSED.format(distance="vector <=> %b" if large else "(vector <=> %b) + 0")
        words = " | ".join(re.findall(r"\w+", question))
        given = [HalfVector(vector), owner, EACH, words, owner, EACH, limit]
        return [number for number, _ in self.connection.execute(statement, given)]


run(Tuned())
