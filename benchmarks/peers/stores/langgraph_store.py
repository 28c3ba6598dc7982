"""LangGraph's PostgresStore with its default vector index (HNSW), one namespace a person."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from langgraph.store.base import PutOp
from langgraph.store.postgres import PostgresStore
from protocol import run

vectors_of: dict[str, list[float]] = {}


def embed(texts: list[str]) -> list[list[float]]:
    """The vector that was given with a text: what is measured is the store."""
    return [vectors_of[text] for text in texts]


class LangGraph:
    def __init__(self) -> None:
        self.context = PostgresStore.from_conn_string(
            os.environ["PEER_DSN"], index={"dims": 512, "embed": embed, "fields": ["text"]}
        )
        self.store = self.context.__enter__()
        self.store.setup()

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        vectors_of.clear()
        vectors_of.update(zip(texts, vectors.tolist(), strict=True))
        self.store.batch(
            [
                PutOp(("people", str(owner)), str(number), {"text": text})
                for number, owner, text in zip(numbers, owners, texts, strict=True)
            ]
        )

    def built(self) -> None:
        pass

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        vectors_of[text] = vector.tolist()
        self.store.put(("people", str(owner)), str(number), {"text": text})

    def settled(self) -> None:
        with psycopg.connect(os.environ["PEER_DSN"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")  # as autovacuum does in time

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        vectors_of["?"] = vector.tolist()
        return [int(each.key) for each in self.store.search(("people", str(owner)), query="?", limit=limit)]


run(LangGraph())
