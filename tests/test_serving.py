"""`serve`: replicas that start together migrate once, nothing accepted is lost when it ends, jobs are kept."""

from __future__ import annotations

import errno
import gc
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from psycopg import sql

from stories.processors.embedding import OfflineEmbedder
from tests.processes import PATIENCE, manage, start, url
from tests.servers import Server, serving, started_by
from vibe.core.db.configured import embedded_server
from vibe.core.db.embedded.server import OWNER
from vibe.core.db.migrating.lock import LOCK, migration_lock, try_lock
from vibe.core.errors import ConfigurationError
from vibe.metrics import shared
from vibe.serving import preparing, web
from vibe.serving.preparing import known, wait_for_database
from vibe.serving.web import WebOptions, WebServer

MODEL_KB = 65_000  # of the model's table alone
REPLICAS = 8 if os.environ.get("VIBE_ATTACK") == "full" else 3
LINE = {
    "user": {"firebase_uid": "serving", "email": "serving@example.com", "name": "Ida"},
    "messages": [{"id": "1", "author": "Ida", "text": "I bought a boat in Bergen.", "sent_at": "2026-03-01T10:00:00Z"}],
}


@pytest.fixture
def empty(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The name of a database with nothing in it."""
    if not embedded_server():
        pytest.skip("makes databases of its own, on the embedded server")
    name = f"serving_{connection.settings_dict['NAME']}"
    quoted = sql.Identifier(name)
    with django_db_blocker.unblock(), embedded_server().connect("postgres") as postgres:
        postgres.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))
        postgres.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(quoted, sql.Identifier(OWNER)))
        yield name
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


@pytest.fixture
def migrated(empty: str) -> str:
    done = manage("migrate", "-v", "0", DATABASE_URL=url(name=empty))
    assert done.returncode == 0, done.stderr
    return empty


def asked(database: str, statement: str) -> list[tuple[Any, ...]]:
    with embedded_server().connect(database) as postgres:
        return postgres.execute(statement).fetchall()


# Starting


def test_replicas_that_start_together_migrate_once(empty, tmp_path):
    replicas = [Server(url(name=empty), tmp_path / f"log{n}") for n in range(REPLICAS)]
    try:
        for replica in replicas:
            replica.wait_ready()
        applied = asked(empty, "SELECT app, name FROM django_migrations")
        assert sorted(applied) == sorted(known()), "a migration is missing, or was applied twice"
        said = [replica.said() for replica in replicas]
        assert sum("Applied: " in each for each in said) == 1
        assert not any("Error" in each or "Traceback" in each for each in said), said
    finally:
        codes = [replica.stop() for replica in replicas]
    assert codes == [0] * REPLICAS


def test_with_migrations_switched_off_it_lives_and_is_not_ready(empty, tmp_path):
    with serving(url(name=empty), tmp_path / "log", "--no-migrate") as server:
        server.wait_ready(503)
        assert server.ask("/livez")[0] == 200
        assert "manage.py migrate" in server.checks()["migrations"]["why"]
        assert "are pending and are not applied here" in server.said()
    assert asked(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_nothing_is_made_up_for_serving():
    done = manage("serve", DEBUG="", DATABASE_URL="")
    assert done.returncode != 0
    assert "DEBUG is off" in done.stderr


def test_static_files_that_were_not_collected_are_named(tmp_path):
    secrets = {name: os.urandom(32).hex() for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY")}
    done = manage("serve", DEBUG="off", VIBE_STATE_DIR=str(tmp_path), DATABASE_URL=url(), **secrets)
    assert done.returncode != 0
    assert "collectstatic" in done.stderr


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_state_folder_that_takes_nothing_is_named(settings, tmp_path, monkeypatch, number):
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    settings.STATE_DIR = tmp_path
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigurationError, match=rf"{tmp_path} .*{os.strerror(number)}.*VIBE_STATE_DIR"):
        shared.begin()


def test_a_full_disk_is_named_before_a_counter_is_mapped_to_it(settings, tmp_path, monkeypatch):
    settings.STATE_DIR = tmp_path
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=shared.ROOM_BYTES - 1))
    with pytest.raises(ConfigurationError, match="No space left on device"):
        shared.begin()
    monkeypatch.undo()
    monkeypatch.setenv(shared.VARIABLE, "")
    assert shared.begin().is_dir(), "the control"


def test_it_waits_for_the_database_and_says_why_once(monkeypatch):
    monkeypatch.setattr(preparing, "ASK_EVERY_SECONDS", 0)
    answers = iter([OperationalError("away"), OperationalError("away"), OperationalError("starting"), None])

    def connect() -> None:
        if problem := next(answers):
            raise problem

    monkeypatch.setattr(connection, "ensure_connection", connect)
    said: list[str] = []
    wait_for_database(seconds=PATIENCE, say=said.append)
    assert [each.rpartition(". ")[2] for each in said] == ["away", "starting"]


def test_it_does_not_wait_for_ever(monkeypatch):
    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connection, "ensure_connection", away)
    with pytest.raises(OperationalError, match="away"):
        wait_for_database(seconds=0, say=lambda _: None)


# Warm


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has not loaded the model."""
    monkeypatch.setattr(OfflineEmbedder, "_model", None)
    yield
    gc.unfreeze()


def test_the_model_is_loaded_before_processes_are_forked_and_sockets_opened(cold):
    server = WebServer(WebOptions("127.0.0.1:0"))
    assert server.cfg.preload_app
    server.load()
    assert OfflineEmbedder._model is not None


def test_control_without_warming_up_the_first_search_loads_it(cold, monkeypatch):
    monkeypatch.setattr(web, "warm_up", lambda: None)
    WebServer(WebOptions("127.0.0.1:0")).load()
    assert OfflineEmbedder._model is None


def test_a_model_that_fails_does_not_stop_the_start(monkeypatch, caplog):
    class Broken(OfflineEmbedder):
        def embed(self, texts: Any) -> Any:
            raise OSError("no such file")

    monkeypatch.setattr("stories.processors.configured.embedder", Broken)
    web.warm_up()
    assert "Searches go by words alone" in caplog.text


# One at a time


def test_the_lock_is_one_persons_at_a_time(committed):
    other = connection.copy()
    try:
        with migration_lock():
            assert not try_lock(other)
        assert try_lock(other)
    finally:
        other.close()


def test_migrate_by_hand_waits_its_turn(migrated):
    by_hand = start("migrate", DATABASE_URL=url(name=migrated))
    assert by_hand.wait(PATIENCE) == 0, "the control: it ends when nobody is before it"
    by_hand.communicate()
    with psycopg.connect(host=connection.settings_dict["HOST"], dbname=migrated, user=OWNER) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        waiting_one = start("migrate", DATABASE_URL=url(name=migrated))
        assert waiting_one.stderr.readline().startswith("Somebody else migrates")
        assert waiting_one.poll() is None
    assert waiting_one.communicate(timeout=PATIENCE)[0]
    assert waiting_one.returncode == 0


def test_whoever_waits_for_the_lock_holds_no_index_build_up(committed):
    """CREATE INDEX CONCURRENTLY waits for snapshots: one that a waiting statement held would never go."""
    waits, done = threading.Event(), threading.Event()

    def wait() -> None:
        try:
            with migration_lock(waits.set):
                done.set()
        finally:
            connection.close()

    with migration_lock():
        thread = threading.Thread(target=wait)
        thread.start()
        assert waits.wait(PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '20s'")
            cursor.execute("CREATE INDEX CONCURRENTLY lock_probe ON users (updated_at)")
            cursor.execute("DROP INDEX lock_probe")
            cursor.execute("RESET statement_timeout")
        assert not done.is_set()
    thread.join(PATIENCE)
    assert done.is_set()


# Ending


def test_a_request_that_is_under_way_is_answered(migrated, tmp_path):
    with serving(url(name=migrated), tmp_path / "log") as server:
        server.wait_ready()
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as slow:
            head = "POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9\r\n"
            slow.sendall(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\nuser".encode())
            time.sleep(0.5)
            server.process.terminate()
            time.sleep(1)
            slow.sendall(b"name=")
            assert slow.recv(12) == b"HTTP/1.1 403", "the form's token is missing; what counts is the answer"
        assert server.process.wait(PATIENCE) == 0


def test_on_a_socket_that_is_kept_no_request_fails_across_a_restart(migrated, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    answers: list[int | str] = []
    over = threading.Event()
    with listener, serving(url(name=migrated), tmp_path / "first", "--processes", "2", listeners=[listener]) as first:
        first.wait_ready()

        def ask() -> None:
            while not over.is_set():
                try:
                    answers.append(first.ask("/livez")[0])
                except OSError as problem:
                    answers.append(type(problem).__name__)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        assert first.stop() == 0
        with serving(url(name=migrated), tmp_path / "second", listeners=[listener]) as second:
            second.wait_ready()
            time.sleep(0.5)
            over.set()
            for thread in threads:
                thread.join(PATIENCE)
    assert len(answers) > 20
    assert set(answers) == {200}


def test_jobs_finish_or_are_given_back_and_none_is_done_twice(migrated, tmp_path):
    lines = "\n".join(json.dumps({**LINE, "conversation": {"id": f"c{n}", "title": f"Boat {n}"}}) for n in range(12))
    source = tmp_path / "lines.jsonl"
    source.write_text(lines)
    assert manage("import_conversations", str(source), DATABASE_URL=url(name=migrated)).returncode == 0

    def count(what: str) -> int:
        return asked(migrated, f"SELECT count(*) FROM {what}")[0][0]

    for run in range(2):
        keep = {"AUDIT_CHECKPOINT_FILE": str(tmp_path / "checkpoints")}  # of this database, not of the state folder
        with serving(url(name=migrated), tmp_path / f"log{run}", "--worker", **keep) as server:
            server.wait_ready()  # all may have been done before: a process that only starts has no handler yet
            deadline = time.monotonic() + PATIENCE
            while count("stories") < (3, 12)[run] and time.monotonic() < deadline:
                time.sleep(0.05)
            assert server.stop() == 0
        assert count("procrastinate_jobs WHERE status = 'doing'") == 0
        assert asked(migrated, "SELECT task_name FROM procrastinate_jobs WHERE status = 'failed'") == []
    assert count("stories") == count("(SELECT DISTINCT conversation_id FROM stories) s") == 12


def test_all_processes_count_together_and_share_what_was_loaded(migrated, tmp_path):
    environment = {"METRICS_TOKEN": "a-token-for-prometheus", "LOG_FORMAT": "json", "LOG_LEVEL": "INFO"}
    with serving(url(name=migrated), tmp_path / "log", "--processes", "2", **environment) as server:
        server.wait_ready()
        for _ in range(30):
            assert server.ask("/")[0] == 200
        status, text = server.ask("/metrics", Authorization="Bearer a-token-for-prometheus")
        shared = [shared_memory(process) for process in started_by(server.process.pid)]
    lines = [json.loads(line) for line in server.said().splitlines()]
    assert {"vibe.requests", "stderr"} <= {line["logger"] for line in lines}, "of the log, and what is printed"
    assert len(shared) == 2
    assert min(shared) > MODEL_KB
    assert status == 200
    assert b'vibe_requests_total{method="GET",route="home",status="200"} 30.0' in text
    assert b"vibe_database_size_bytes" in text


def shared_memory(process: int) -> int:
    """The kB that a process shares with others and that are no file's."""
    told = dict(line.split(":") for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    return int(told["Shared_Dirty"].split()[0])
