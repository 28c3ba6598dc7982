"""A backup of a cluster in use is of one moment on all nodes: it can be restored, however much is written meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.citus.conftest import Cluster
from tests.processes import PROJECT

pytestmark = pytest.mark.citus

WRITING = """
import uuid
import django
django.setup()
from django.test import Client
from accounts.authentication import local_tokens
while True:
    token = local_tokens.issue(uid=uuid.uuid4().hex)
    client = Client(headers={"host": "localhost", "authorization": f"Bearer {token}"})
    begun = client.post("/api/v1/conversations", {"title": "Backup"}, content_type="application/json").json()["id"]
    for text in ("One.", "Two.", "Three."):
        said = {"author": "Nora", "text": text}
        client.post(f"/api/v1/conversations/{begun}/memories", said, content_type="application/json")
    print(begun, flush=True)
"""


@contextmanager
def written_to(cluster: Cluster, processes: int = 2) -> Iterator[list[subprocess.Popen[str]]]:
    """New people come and say things, all the time."""
    environment = {**os.environ, "DATABASE_URL": cluster.url, "VIBE_STATE_DIR": str(cluster.state)}
    command, pipe = [sys.executable, "-c", WRITING], subprocess.PIPE
    writers = [
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=pipe, text=True) for _ in range(processes)
    ]
    try:
        for writer in writers:
            assert writer.stdout
            writer.stdout.readline()
        yield writers
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def people(cluster: Cluster) -> int:
    return int(cluster.ask("SELECT count(*) FROM users", role="vibe_system")[0][0])


@pytest.fixture(autouse=True)
def _administered() -> None:
    if not os.environ.get("BACKUP_DATABASE_URL"):
        pytest.skip("BACKUP_DATABASE_URL is not set: a superuser of the cluster's")


def test_a_backup_of_a_cluster_in_use_can_be_restored(cluster: Cluster, tmp_path: Path) -> None:
    with written_to(cluster) as writers:
        before = people(cluster)
        cluster.manage("backup", str(tmp_path / "one.vibe"))
        after = people(cluster)
        assert after > before and all(writer.poll() is None for writer in writers)
    cluster.manage("restore", "--drill", str(tmp_path / "one.vibe"))


def test_a_transaction_sees_a_worker_as_it_was_when_it_first_came_there(cluster: Cluster) -> None:
    """What the backup goes by; without the first LOCK TABLE, what was written before its first reading is seen."""
    from vibe.backup.taking import BEGIN, FIRST_ON_WORKERS, ONE_PER_WORKER

    count = "SELECT count(*) FROM conversations"
    with (
        psycopg.connect(os.environ["BACKUP_DATABASE_URL"], autocommit=True) as held,
        psycopg.connect(os.environ["BACKUP_DATABASE_URL"], autocommit=True) as late,
        psycopg.connect(os.environ["BACKUP_DATABASE_URL"], autocommit=True) as now,
    ):
        [before] = now.execute(count).fetchone() or (0,)
        for session in held, late:
            session.execute(f"SET {ONE_PER_WORKER}")
            session.execute(BEGIN)
            session.execute("SELECT pg_export_snapshot()")
        held.execute(FIRST_ON_WORKERS)
        with written_to(cluster, 1):
            until = time.monotonic() + 20
            while now.execute(count).fetchone() == (before,):
                assert time.monotonic() < until
        assert held.execute(count).fetchone() == (before,)
        assert (late.execute(count).fetchone() or (0,))[0] > before
