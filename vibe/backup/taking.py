"""Writes both files of a backup from one snapshot, so that the counts match the dump."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from django.db import OperationalError, connection, transaction

from vibe.backup import archive, inspection, server
from vibe.backup.archive import DATA, KEYS, Hashing, Manifest, Progress
from vibe.backup.dumping import EVERYTHING_ELSE, ONLY_KEYS, dump
from vibe.backup.errors import BackupFailed
from vibe.backup.server import Server
from vibe.core.db.statements.batching import distributed

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# A Citus worker takes its snapshot when a transaction first comes there, and one for each connection. Citus repeats
# LOCK TABLE on each worker, and pg_dump begins with it.
ONE_PER_WORKER = "citus.max_adaptive_executor_pool_size=1"
FIRST_ON_WORKERS = "LOCK TABLE user_keys IN ACCESS SHARE MODE"
# Every change writes a row of the audit log before it commits.
STOP = "SET LOCAL lock_timeout = '1s'", "LOCK TABLE audit_logs IN SHARE MODE"
STOP_TRIES = 30
Told = Callable[[str, int], Progress]  # takes a step and its bytes (0: unknown), returns their counter


@dataclass(slots=True)
class Snapshot:
    """One state of a database, held by an open transaction that pg_dump joins."""

    at: Server
    database: str
    eyes: psycopg.Connection[Any]
    told: Told
    writing: ExitStack = field(default_factory=ExitStack)
    """Ends the stop of writing, where rows are on several servers: once all of these have their snapshot."""
    name: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def hold(self) -> None:
        """Begin the transaction, and read the contents and access rules of the database."""
        if distributed():
            self.stop_writing()
            options = f"{self.at.reached.get('options', '')} -c {ONE_PER_WORKER}"
            self.at = replace(self.at, reached={**self.at.reached, "options": options})
            self.eyes.execute(f"SET {ONE_PER_WORKER}")
        self.eyes.execute(BEGIN)
        if distributed():
            self.eyes.execute(FIRST_ON_WORKERS)
        self.name = str((self.eyes.execute("SELECT pg_export_snapshot()").fetchone() or ("",))[0])
        self.about = {
            "pair": uuid4().hex,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "database": self.database,
            "server": server.major(self.eyes),
            "vector": inspection.vector(self.eyes),
            "migrations": inspection.migrations(self.eyes),
            "walls": inspection.walls(self.eyes),
        }

    def stop_writing(self) -> None:
        """Have changes wait, as the tables' owner. Raises BackupFailed if others cannot be waited for."""
        for _ in range(STOP_TRIES):
            with suppress(OperationalError), ExitStack() as stack:
                stack.enter_context(transaction.atomic())
                with connection.cursor() as cursor:
                    for statement in STOP:
                        cursor.execute(statement)
                self.writing.push(stack.pop_all())
                return
        raise BackupFailed("Writing could not be stopped for the moment in which a backup begins. Try again.")

    def write_keys(self, path: Path) -> Manifest:
        """Write the wrapped data keys."""
        return self.write(path, ONLY_KEYS, kind=KEYS)

    def write_data(self, path: Path) -> Manifest:
        """Write everything else."""
        return self.write(path, EVERYTHING_ELSE, kind=DATA)

    def write(self, path: Path, what: Sequence[str], *, kind: str) -> Manifest:
        """Write one file, with its manifest at the end."""
        count, major = self.told(f"Dumping {kind}", 0), self.about["server"]
        written: list[Manifest] = []

        def progress(size: int) -> None:
            if kind == DATA:
                self.writing.close()  # pg_dump writes once it has locked all tables
            count(size)

        def fill(into: Hashing) -> int:
            return dump(self.at, self.database, self.name, into, what=what, major=major, progress=progress)

        def describe(into: Hashing, program: int) -> bytes:
            dumped: dict[str, Any] = {"sha256": into.sha256.hexdigest(), "size": into.bytes, "program": program}
            tables, masters = self.counted(kind), inspection.masters(self.eyes) if kind == KEYS else ()
            written.append(Manifest(kind=kind, tables=tables, masters=masters, **dumped, **self.about))
            return written[0].encode()

        archive.write(path, fill, describe)
        return written[0]

    def counted(self, kind: str) -> dict[str, int]:
        """Return the rows of each table that is in a file."""
        if kind == KEYS:
            return {"user_keys": inspection.count(self.eyes, "public", "user_keys")}
        self.rows = inspection.counts(self.eyes)
        return {table: rows for table, rows in self.rows.items() if table != "user_keys"}
