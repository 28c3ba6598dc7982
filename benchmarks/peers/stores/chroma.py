"""Chroma, persistent, one collection with the person in the metadata, as its documentation shows it."""

from __future__ import annotations

import os
from typing import Any

import chromadb
from chromadb.config import Settings
from protocol import run


class Chroma:
    def __init__(self) -> None:
        client = chromadb.PersistentClient(os.environ["PEER_FOLDER"], Settings(anonymized_telemetry=False))
        self.rows = client.create_collection("memories", configuration={"hnsw": {"space": "cosine"}})

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        self.rows.add(
            ids=[str(each) for each in numbers],
            embeddings=vectors,
            metadatas=[{"user_id": each} for each in owners],
            documents=texts,
        )

    def built(self) -> None:
        pass

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        self.bulk([number], [owner], vector[None], [text])

    def settled(self) -> None:
        pass

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        found = self.rows.query(query_embeddings=vector[None], n_results=limit, where={"user_id": owner})
        return [int(each) for each in found["ids"][0]]


run(Chroma())
