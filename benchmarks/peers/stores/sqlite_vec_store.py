"""sqlite-vec: a vec0 table partitioned by person, searched exactly within the partition."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apsw
import sqlite_vec
from protocol import run


class SqliteVec:
    def __init__(self) -> None:
        self.database = apsw.Connection(str(Path(os.environ["PEER_FOLDER"], "memories.db")))
        self.database.enable_load_extension(True)  # which many builds of Python's own sqlite3 leave out
        self.database.load_extension(sqlite_vec.loadable_path())
        self.database.execute("PRAGMA journal_mode = wal")
        self.database.execute(
            "CREATE VIRTUAL TABLE memories USING vec0(owner integer partition key, "
            "vector float[512] distance_metric=cosine, +text text)"
        )

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        with self.database:
            self.database.executemany(
                "INSERT INTO memories (rowid, owner, vector, text) VALUES (?, ?, ?, ?)",
                [
                    (number, owner, vector.tobytes(), text)
                    for number, owner, vector, text in zip(numbers, owners, vectors, texts, strict=True)
                ],
            )

    def built(self) -> None:
        pass

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        self.bulk([number], [owner], vector[None], [text])

    def settled(self) -> None:
        pass

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        found = self.database.execute(
            "SELECT rowid, text FROM memories WHERE vector MATCH ? AND owner = ? AND k = ?",
            [vector.tobytes(), owner, limit],
        )
        return [number for number, _ in found]


run(SqliteVec())
