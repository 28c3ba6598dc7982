"""A worker that is frozen: its people are answered 503 soon, and everybody else, and probes, as before."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.citus.conftest import Cluster
from tests.processes import PROJECT
from tests.servers import Server

pytestmark = pytest.mark.citus

SECONDS = 20
TOKENS = """
import sys
import django
django.setup()
from accounts.authentication import local_tokens
for uid in sys.argv[1:]:
    print(local_tokens.issue(uid=uid))
"""
PEOPLE = """
SELECT DISTINCT ON (nodename, nodeport) nodename, nodeport, firebase_uid, u.id
FROM users u JOIN pg_dist_shard_placement ON shardid = get_shard_id_for_distribution_column('user_keys', u.id)
WHERE firebase_uid LIKE 'sample-%' ORDER BY 1, 2
"""
FREEZE = """
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; set -- $(head -n 1 {folder}/postmaster.pid);
set -- $1 $(pgrep -P $1); (sleep {seconds}; kill -CONT "$@") > /dev/null 2>&1 & kill -STOP "$@"'
"""


@contextmanager
def frozen(host: str, port: int) -> Iterator[None]:
    """Stop all processes of a worker, as a disk that hangs or a swapping machine does, and let them go on again."""
    with psycopg.connect(make_conninfo(os.environ["BACKUP_DATABASE_URL"], host=host, port=port)) as session:
        [folder] = session.execute("SHOW data_directory").fetchone() or ("",)
        began = time.monotonic()
        freezing = threading.Thread(
            target=session.execute, args=[FREEZE.format(folder=folder, seconds=SECONDS)], daemon=True
        )
        freezing.start()
        time.sleep(0.3)
        assert freezing.is_alive()
        try:
            yield
        finally:
            time.sleep(max(0.0, began + SECONDS - time.monotonic()))
            freezing.join()


def timed(ask: Any, *arguments: Any, **options: Any) -> tuple[int, float]:
    """The status of an answer, and its seconds."""
    began = time.monotonic()
    status, _ = ask(*arguments, **options)
    return status, time.monotonic() - began


def test_a_frozen_worker_keeps_only_its_own_people_waiting(cluster: Cluster, tmp_path: Path) -> None:
    if not os.environ.get("BACKUP_DATABASE_URL"):
        pytest.skip("BACKUP_DATABASE_URL is not set: a superuser of the cluster's")
    (host, port, theirs, their_id), (_, _, others, _) = cluster.ask(PEOPLE, role="vibe_system")[:2]
    environment = {**os.environ, "DATABASE_URL": cluster.url, "VIBE_STATE_DIR": str(cluster.state)}
    command = [sys.executable, "-c", TOKENS, theirs, others]
    tokens = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout
    them, other = ({"Authorization": f"Bearer {token}"} for token in tokens.split())
    server = Server(cluster.url, tmp_path / "log", "--processes", "1", VIBE_STATE_DIR=str(cluster.state))
    plain = psycopg.connect(os.environ["BACKUP_DATABASE_URL"], autocommit=True)
    waited: list[float] = []

    def plainly() -> None:
        """What the product would do without a limit: on a connection that has been to the worker."""
        began = time.monotonic()
        plain.execute("SELECT FROM user_keys WHERE user_id = %s", [their_id])
        waited.append(time.monotonic() - began)

    try:
        server.wait_ready()
        plainly()
        for _ in range(8):  # each thread with a connection
            assert timed(server.ask, "/api/v1/conversations", **them)[0] == 200
        with frozen(host, port):
            unlimited = threading.Thread(target=plainly)
            unlimited.start()
            status, seconds = timed(server.ask, "/api/v1/conversations", **them)
            assert status == 503 and seconds < 2, seconds
            for path in "/livez", "/readyz", "/api/v1/conversations", "/api/v1/me":
                status, seconds = timed(server.ask, path, **(other if path.startswith("/api") else {}))
                assert (path, status) == (path, 200) and seconds < 2, (path, seconds)
            status, seconds = timed(server.ask, "/api/v1/conversations", **them)
            assert status == 503 and seconds < 2, seconds
            assert waited[1:] == []
            doctor = [sys.executable, "manage.py", "doctor"]
            told = subprocess.run(doctor, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
            assert f"The worker {host}:{port} of the cluster does not answer." in told.stdout
        unlimited.join()
        assert waited[1] > SECONDS - 5
        until = time.monotonic() + 15
        while timed(server.ask, "/api/v1/conversations", **them)[0] != 200:
            assert time.monotonic() < until
            time.sleep(0.5)
    finally:
        server.stop()
        plain.close()
