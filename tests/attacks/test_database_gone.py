"""Fault: the database goes away and comes back, or its connections run out. Requests are refused as problem documents
that say when to try again; afterwards everything works without anybody's doing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from accounts.authentication import local_tokens
from tests.installation import Installation
from tests.processes import manage, until
from tests.servers import Server, serving, started_by
from tests.writers import Refusal, Writer
from vibe.core.db.embedded.server import DATABASE, OWNER

UNPROTECTED = "tests.attacks.unprotected"
CANARY = "the heron at the weir"
POOL, AT_ONCE = 2, 6
MANY = 32  # so that every thread of the server is asked
REFUSED_WITHIN_SECONDS = 2


def writer_on(installation: Installation, number: int = 0) -> Writer:
    return Writer(number, installation.web.port, local_tokens.issue(uid=f"gone-{number}"), threading.Event())


def refused(writer: Writer, method: str, path: str, body: Any = None) -> Refusal:
    """The answer, which must be a refusal of the service's that shows nothing and says when to try again."""
    with pytest.raises(Refusal) as caught:
        writer.send(method, path, body)
    refusal = caught.value
    assert (refusal.status, refusal.kind) == (503, "application/problem+json")
    assert refusal.retry_after
    assert json.loads(refusal.body)["code"] in ("busy", "sign-in-unavailable", "audit-unavailable")
    assert not any(word in refusal.body for word in (CANARY.encode(), b"PostgreSQL", b"socket", OWNER.encode() + b"'"))
    return refusal


def test_gone_and_back(installation: Installation) -> None:
    writer = writer_on(installation)
    writer.write(["Before."])
    processes = set(started_by(installation.web.process.pid))
    installation.stop_postgres()
    try:
        for _ in range(3):
            refused(writer, "GET", writer.paths[0])
            refused(writer, "POST", writer.paths[0], {"author": "Ada", "text": CANARY})
        assert installation.web.ask("/livez")[0] == 200
        until(lambda: installation.web.ask("/readyz")[0] == 503)
        status, page = installation.web.ask("/admin/login/")
        assert status in (200, 503)
        assert b"Traceback" not in page
        assert b"PostgreSQL" not in page
    finally:
        installation.start_postgres()
    until(lambda: installation.web.ask("/readyz")[0] == 200)
    assert {status_of(writer) for _ in range(MANY)} == {200}, "a connection of before was used"
    writer.write(["After."])
    assert writer.texts().keys() == {"Before.", "After."}
    assert set(started_by(installation.web.process.pid)) == processes, "nobody started it again"
    assert CANARY not in installation.web.said()


def test_control_without_health_checks_a_connection_of_before_is_used(
    installation: Installation, tmp_path: Path
) -> None:
    with without("health checks", installation, tmp_path, "--threads", "1") as server:
        writer = Writer(0, server.port, local_tokens.issue(uid="stale"), threading.Event())
        writer.write(["Before."])
        installation.stop_postgres()
        installation.start_postgres()
        assert status_of(writer) == 503


def without(what: str, installation: Installation, folder: Path, *options: str, **more: str) -> Any:
    """A server on the same database that lacks a protection."""
    environment = {**installation.environment, **more, "DJANGO_SETTINGS_MODULE": UNPROTECTED, "WITHOUT": what}
    return serving(environment.pop("DATABASE_URL"), folder / "log", *options, **environment)


def test_connections_run_out(installation: Installation) -> None:
    writer = writer_on(installation)
    writer.write(["Before."])
    held = hold_all(installation)
    try:
        refused(writer, "GET", writer.paths[0])
        refused(writer, "POST", writer.paths[0], {"author": "Ada", "text": CANARY})
    finally:
        for each in held:
            each.close()
    until(lambda: answered(writer))
    writer.write(["After."])
    assert writer.texts().keys() == {"Before.", "After."}


def hold_all(installation: Installation) -> list[psycopg.Connection[Any]]:
    """Every connection that the server has to give, those of the web server too."""
    theirs = f"FROM pg_stat_activity WHERE usename = '{OWNER}'"
    installation.ask(f"SELECT pg_terminate_backend(pid) {theirs}")
    until(lambda: not installation.ask(f"SELECT 1 {theirs}"))
    held = []
    with suppress(psycopg.OperationalError):
        while True:
            held.append(installation.postgres.connect(DATABASE, OWNER))
    assert held
    return held


def test_a_pool_runs_out(installation: Installation, tmp_path: Path) -> None:
    """Whoever waits for a connection is refused while those who have one are still held up."""
    environment = {**installation.environment, "DATABASE_POOL_SIZE": str(POOL)}
    with serving(environment.pop("DATABASE_URL"), tmp_path / "log", **environment) as server:
        writer = Writer(0, server.port, local_tokens.issue(uid="pooled"), threading.Event())
        with held_up(server, writer, installation) as asked:
            until(lambda: sum(each.done() for each in asked) == AT_ONCE - POOL)
            assert {each.result() for each in asked if each.done()} == {503}
        assert [each.result() for each in asked].count(200) == POOL
        assert status_of(writer) == 200
    assert longest_wait() < REFUSED_WITHIN_SECONDS


def test_control_without_an_end_of_waiting_nobody_is_refused(installation: Installation, tmp_path: Path) -> None:
    with without("an end of waiting", installation, tmp_path, DATABASE_POOL_SIZE=str(POOL)) as server:
        writer = Writer(0, server.port, local_tokens.issue(uid="patient"), threading.Event())
        with held_up(server, writer, installation) as asked:
            wait(asked, 2 * REFUSED_WITHIN_SECONDS)
            assert not any(each.done() for each in asked)


@contextmanager
def held_up(server: Server, writer: Writer, installation: Installation) -> Iterator[list[Future[int]]]:
    """More requests at once than the pool has connections, none of which is answered before the end of the block."""
    server.wait_ready()
    writer.write(["Before."])
    with (
        ThreadPoolExecutor(AT_ONCE) as threads,
        installation.postgres.connect() as superuser,
        superuser.transaction(),
    ):
        superuser.execute("LOCK TABLE encrypted_memories IN ACCESS EXCLUSIVE MODE")
        yield [threads.submit(status_of, writer) for _ in range(AT_ONCE)]


def longest_wait() -> float:
    """For a connection of the pool, as the product sets it; in seconds."""
    script = "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS']['pool']['timeout'])"
    return float(manage("shell", "-v", "0", "-c", script, DATABASE_POOL_SIZE="1").stdout)


def status_of(writer: Writer) -> int:
    """Of an answer; a refusal is one that says when to try again."""
    try:
        writer.send("GET", writer.paths[0])
    except Refusal as refusal:
        assert refusal.retry_after
        return refusal.status
    return 200


def answered(writer: Writer) -> bool:
    """Whether it is served again."""
    return status_of(writer) == 200
