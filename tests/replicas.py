"""A streaming replica of the server of the tests: a base backup, replayed by a second server."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.processes import PATIENCE, until
from vibe.core.db.configured import embedded_server
from vibe.core.db.embedded.account import server_account
from vibe.core.db.embedded.files import own_folder
from vibe.core.db.embedded.server import PORT, SUPERUSER, EmbeddedServer

counted = count()


class ReplicaServer:
    """It follows its primary until it is stopped, paused or promoted. `slot` keeps the log for it meanwhile."""

    def __init__(self, primary: EmbeddedServer, folder: Path, slot: str) -> None:
        self.server = EmbeddedServer(folder)
        account = server_account()
        own_folder(folder, account)
        self.server._run(
            *("pg_basebackup", "-D", str(self.server.data), "-R", "-X", "stream", "-c", "fast", "-S", slot),
            *("-h", str(primary.sockets), "-p", str(PORT), "-U", SUPERUSER),
        )
        self.server._prepare()
        self.start()

    def start(self) -> None:
        server = self.server
        server._run("pg_ctl", "start", "-w", "-t", str(PATIENCE), "-D", str(server.data), "-l", str(server.log))

    def stop(self) -> None:
        self.server._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.server.data))

    def run(self, statement: str) -> Any:
        """A statement of the superuser."""
        with self.server.connect("postgres") as connection:
            found = connection.execute(statement)
            return found.fetchone()[0] if found.description else None  # type: ignore[index]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Receive the log and replay nothing of it, as a replica that is far behind."""
        self.run("SELECT pg_wal_replay_pause()")
        until(lambda: self.run("SELECT pg_get_wal_replay_pause_state()") == "paused")
        try:
            yield
        finally:
            self.run("SELECT pg_wal_replay_resume()")

    def catch_up(self, primary: EmbeddedServer) -> None:
        """Wait until it has replayed what the primary has now."""
        with primary.connect("postgres") as connection:
            # Or what is not flushed yet would wait for somebody's commit. It gives the end of what is written: the
            # place of the next insertion lies behind a header that is sent with the next commit alone.
            (place,) = connection.execute("SELECT pg_switch_wal()::text").fetchone()  # type: ignore[misc]
        until(lambda: self.run(f"SELECT pg_last_wal_replay_lsn() >= '{place}'::pg_lsn"))


@contextmanager
def replicated() -> Iterator[ReplicaServer]:
    """A replica of the embedded server of the tests. Skips where the tests have another server."""
    primary = embedded_server()
    if primary is None:
        pytest.skip("needs the embedded server, which it copies")
    primary.start()
    folder = Path(tempfile.mkdtemp(prefix="vibe-replica-"))
    try:
        with slot(primary) as name:
            replica = ReplicaServer(primary, folder, name)
            try:
                yield replica
            finally:
                if replica.server.is_running():
                    replica.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def slot(primary: EmbeddedServer) -> Iterator[str]:
    """The log is kept from here on, whatever other tests write. Slots of processes that were killed are dropped."""
    name = f"tests_{os.getpid()}_{next(counted)}"
    with primary.connect("postgres") as server:
        for (left,) in server.execute("SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'tests\\_%'"):
            if not Path("/proc", left.split("_")[1]).exists():
                server.execute("SELECT pg_drop_replication_slot(%s)", [left])
        server.execute("SELECT pg_create_physical_replication_slot(%s, true)", [name])
        try:
            yield name
        finally:
            until(lambda: not active(server, name))
            server.execute("SELECT pg_drop_replication_slot(%s)", [name])


def active(server: psycopg.Connection[Any], name: str) -> bool:
    """Whether somebody reads from a slot."""
    found = server.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", [name]).fetchone()
    return bool(found and found[0])
