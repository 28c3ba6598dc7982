"""mem0's pgvector store with its HNSW index, filtered by user_id in the payload, as mem0's own search does it."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import psycopg
from mem0.vector_stores.pgvector import PGVector
from protocol import run


class Mem0:
    def __init__(self) -> None:
        self.store = PGVector(
            dbname=None, collection_name="memories", embedding_model_dims=512, user=None, password=None, host=None,
            port=None, diskann=False, hnsw=True, connection_string=os.environ["PEER_DSN"],
        )  # fmt: skip

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        self.store.insert(
            vectors.tolist(),
            [{"user_id": str(owner), "data": text} for owner, text in zip(owners, texts, strict=True)],
            [str(UUID(int=number)) for number in numbers],
        )

    def built(self) -> None:
        pass

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        self.store.insert([vector.tolist()], [{"user_id": str(owner), "data": text}], [str(UUID(int=number))])

    def settled(self) -> None:
        with psycopg.connect(os.environ["PEER_DSN"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")  # as autovacuum does in time

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        found = self.store.search("", vector.tolist(), top_k=limit, filters={"user_id": str(owner)})
        return [UUID(each.id).int for each in found]


run(Mem0())
