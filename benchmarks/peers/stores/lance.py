"""LanceDB: one table, a vector index (IVF-HNSW-SQ) and an index on the person, filtered before the search."""

from __future__ import annotations

import os
from typing import Any

import lancedb
import pyarrow
from protocol import run

SCHEMA = pyarrow.schema(
    [
        ("number", pyarrow.int64()),
        ("owner", pyarrow.int64()),
        ("text", pyarrow.string()),
        ("vector", pyarrow.list_(pyarrow.float32(), 512)),
    ]
)


class Lance:
    def __init__(self) -> None:
        self.table = lancedb.connect(os.environ["PEER_FOLDER"]).create_table("memories", schema=SCHEMA)

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        rows = zip(numbers, owners, texts, vectors, strict=True)
        self.table.add([dict(zip(("number", "owner", "text", "vector"), row, strict=True)) for row in rows])

    def built(self) -> None:
        self.table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ")
        self.table.create_scalar_index("owner")

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        self.bulk([number], [owner], vector[None], [text])

    def settled(self) -> None:
        self.table.optimize()

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        query = self.table.search(vector).distance_type("cosine").where(f"owner = {owner}", prefilter=True)
        return [each["number"] for each in query.limit(limit).select(["number", "text", "_distance"]).to_list()]


run(Lance())
