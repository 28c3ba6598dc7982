"""Writes both files of a backup from one snapshot, so that the counts match the dump."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from vibe.backup import archive, inspection, server
from vibe.backup.archive import DATA, KEYS, Hashing, Manifest, Progress
from vibe.backup.dumping import EVERYTHING_ELSE, ONLY_KEYS, dump
from vibe.backup.server import Server

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
Told = Callable[[str, int], Progress]  # takes a step and its bytes (0: unknown), returns their counter


@dataclass(slots=True)
class Snapshot:
    """One state of a database, held by an open transaction that pg_dump joins."""

    at: Server
    database: str
    eyes: psycopg.Connection[Any]
    told: Told
    name: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def hold(self) -> None:
        """Begin the transaction, and read the contents and access rules of the database."""
        self.eyes.execute(BEGIN)
        self.name = str((self.eyes.execute("SELECT pg_export_snapshot()").fetchone() or ("",))[0])
        self.rows = inspection.counts(self.eyes)
        self.about = {
            "pair": uuid4().hex,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "database": self.database,
            "server": server.major(self.eyes),
            "vector": inspection.vector(self.eyes),
            "migrations": inspection.migrations(self.eyes),
            "walls": inspection.walls(self.eyes),
        }

    def write_keys(self, path: Path) -> Manifest:
        """Write the wrapped data keys."""
        rows = {"user_keys": self.rows["user_keys"]}
        return self.write(path, ONLY_KEYS, kind=KEYS, tables=rows, masters=inspection.masters(self.eyes))

    def write_data(self, path: Path) -> Manifest:
        """Write everything else."""
        rows = {table: count for table, count in self.rows.items() if table != "user_keys"}
        return self.write(path, EVERYTHING_ELSE, kind=DATA, tables=rows, masters=())

    def write(self, path: Path, what: Sequence[str], *, kind: str, **about: Any) -> Manifest:
        """Write one file, with its manifest at the end."""
        progress, major = self.told(f"Dumping {kind}", 0), self.about["server"]
        written: list[Manifest] = []

        def fill(into: Hashing) -> int:
            return dump(self.at, self.database, self.name, into, what=what, major=major, progress=progress)

        def describe(into: Hashing, program: int) -> bytes:
            dumped: dict[str, Any] = {"sha256": into.sha256.hexdigest(), "size": into.bytes, "program": program}
            written.append(Manifest(kind=kind, **about, **dumped, **self.about))
            return written[0].encode()

        archive.write(path, fill, describe)
        return written[0]
