"""A coordinator that crashes while it commits: a change and its row of the audit log stay together, or both go."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest

from tests.citus.conftest import Cluster
from tests.processes import PROJECT

pytestmark = pytest.mark.citus

CRASHES = 50 if os.environ.get("VIBE_ATTACK") == "full" else 5
WINDOW = 0.1  # seconds: commit_delay's most
ADDING = """
import sys
import django
django.setup()
from django.db import connections
from django.test import Client
from accounts.authentication import local_tokens
uid = sys.argv[1]
client = Client(headers={"host": "localhost", "authorization": f"Bearer {local_tokens.issue(uid=uid)}"})
begun = client.post("/api/v1/conversations", {"title": "Crashes"}, content_type="application/json").json()["id"]
print(begun, flush=True)
for line in sys.stdin:
    said = {"author": "Nora", "text": line}
    answer = client.post(f"/api/v1/conversations/{begun}/memories", said, content_type="application/json")
    connections.close_all()
    print(answer.status_code, flush=True)
"""
COMMITTING = """
SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE relation = 'audit_logs'::regclass AND mode = 'RowExclusiveLock' AND query = 'COMMIT' AND state = 'active'
"""
KEPT = """
SELECT (SELECT count(*) FROM encrypted_memories WHERE conversation_id = %(id)s),
    (SELECT count(*) FROM audit_logs WHERE action LIKE 'api:add%%' AND outcome = 'ok' AND resource LIKE %(like)s)
"""
PREPARED = "SELECT sum(result::int) FROM run_command_on_workers('SELECT count(*) FROM pg_prepared_xacts')"


class Coordinator:
    """The coordinator as its superuser, over a connection that a crash ends."""

    def connect(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                self.session = psycopg.connect(os.environ["BACKUP_DATABASE_URL"], autocommit=True)
                return
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def value(self, query: str, given: object = None) -> object:
        return (self.session.execute(query, given).fetchone() or (None,))[0]  # type: ignore[call-overload]

    def crash(self, pid: object) -> None:
        """Kill a process of the server: all others end too, and it recovers by its log, as after loss of power."""
        with suppress(psycopg.OperationalError):
            self.session.execute(f"COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; kill -9 {pid}'")
            while True:  # until this session ends too
                self.session.execute("SELECT pg_sleep(0.01)")
        self.session.close()
        self.connect()

    @contextmanager
    def commits_slowly(self) -> Iterator[None]:
        """Have each commit wait before its record is on the disk."""
        settings = {"commit_delay": int(WINDOW * 1e6), "commit_siblings": 0}
        try:
            for name, value in settings.items():
                self.session.execute(f"ALTER SYSTEM SET {name} = {value}")
            self.session.execute("SELECT pg_reload_conf()")
            yield
        finally:
            for name in settings:
                self.session.execute(f"ALTER SYSTEM RESET {name}")
            self.session.execute("SELECT pg_reload_conf()")


@pytest.fixture
def coordinator(cluster: Cluster) -> Iterator[Coordinator]:
    if not os.environ.get("BACKUP_DATABASE_URL"):
        pytest.skip("BACKUP_DATABASE_URL is not set: a superuser of the cluster's")
    made = Coordinator()
    made.connect()
    yield made
    made.session.close()


def crash_while_adding(cluster: Cluster, coordinator: Coordinator, crashes: int) -> list[tuple[int, int]]:
    """Crash the coordinator in the commit of a memory, again and again; return memories and their rows after each."""
    environment = {**os.environ, "DATABASE_URL": cluster.url, "VIBE_STATE_DIR": str(cluster.state)}
    command = [sys.executable, "-c", ADDING, f"crashes-{random.random()}"]
    kept: list[tuple[int, int]] = []
    answered: Counter[str] = Counter()
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as adding:
        assert adding.stdin and adding.stdout
        conversation = adding.stdout.readline().strip()
        with coordinator.commits_slowly():
            for number in range(crashes):
                adding.stdin.write(f"Said before crash {number}.\n")
                while (pid := coordinator.value(COMMITTING)) is None:
                    if select.select([adding.stdout], [], [], 0.001)[0]:  # its commit was not seen
                        answered[adding.stdout.readline().strip()] += 1
                        adding.stdin.write(f"Said before crash {number}.\n")
                time.sleep(random.uniform(0, 1.5 * WINDOW))
                coordinator.crash(pid)
                answered[adding.stdout.readline().strip()] += 1
                coordinator.value("SELECT recover_prepared_transactions()")
                assert coordinator.value(PREPARED) == 0
                given = {"id": conversation, "like": f"%{conversation}/memories"}
                kept.append(coordinator.session.execute(KEPT, given).fetchone())  # type: ignore[arg-type]
                assert kept[-1][0] >= answered["201"]
        adding.stdin.close()
    assert set(answered) <= {"201", "503"}
    return kept


def test_no_crash_while_it_commits_parts_a_change_from_its_row(cluster: Cluster, coordinator: Coordinator) -> None:
    kept = crash_while_adding(cluster, coordinator, CRASHES)
    assert [memories for memories, rows in kept if memories != rows] == [], kept
    assert cluster.manage("verify_audit").startswith("The trail holds")


def test_without_two_phases_a_memory_stands_that_no_row_tells_of(cluster: Cluster, coordinator: Coordinator) -> None:
    coordinator.session.execute("ALTER TABLE audit_logs DISABLE TRIGGER audit_logs_in_two_phases")
    try:
        [memories, rows] = crash_while_adding(cluster, coordinator, 3)[-1]
        assert memories > rows
    finally:
        assert "1 steps done" in cluster.manage("distribute", "--apply")
