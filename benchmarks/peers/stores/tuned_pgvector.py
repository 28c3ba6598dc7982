"""pgvector by a careful hand: halfvec, the person's rows sorted exactly while they are few, else the shared HNSW index
with iterative scan; indexes built after the bulk. In the clear, no row-level security, no trail."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from protocol import run

EXACT_UP_TO = 10_000


class Tuned:
    def __init__(self) -> None:
        self.connection = psycopg.connect(os.environ["PEER_DSN"], autocommit=True)
        self.connection.execute(
            "CREATE TABLE memories (id bigint PRIMARY KEY, owner int, text text, vector halfvec(512))"
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
        self.connection.execute("VACUUM ANALYZE memories")

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        self.connection.execute(
            "INSERT INTO memories VALUES (%s, %s, %s, %s)", [number, owner, text, HalfVector(vector)]
        )
        self.sizes[owner] = self.sizes.get(owner, 0) + 1

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        by_graph = self.sizes.get(owner, 0) > EXACT_UP_TO
        with self.connection.transaction():
            if by_graph:
                self.connection.execute("SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = 100")
            else:
                self.connection.execute("SET LOCAL enable_indexscan = off")  # the graph's; a bitmap of the owner's rows
            found = self.connection.execute(
                "SELECT id, text FROM memories WHERE owner = %s ORDER BY vector <=> %s LIMIT %s",
                [owner, HalfVector(vector), limit],
            )
            return [number for number, _ in found]


run(Tuned())
