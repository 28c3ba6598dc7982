"""/livez and /readyz: when requests should come here, why not, and nothing that a stranger may not know."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from accounts.erasure.receipts import sign_statement
from accounts.erasure.services import erase_again
from accounts.erasure.tombstones import add_tombstone
from audit.models import AuditLog
from tests.cast import TESTER
from tests.workers import register_workers
from vibe.core.db.scopes import as_system
from vibe.serving import readiness


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: Any, settings: Any, tmp_path: Any) -> None:
    settings.ERASURES_FILE = tmp_path / "erasures.jsonl"
    monkeypatch.setattr(readiness, "_seen_erased", threading.Event())
    monkeypatch.setattr(readiness, "REMEMBERED_SECONDS", -1.0)


@pytest.fixture
def worker(db: None) -> None:
    register_workers()


def why(client: Any) -> dict[str, str]:
    """What is not ready."""
    checks = client.get("/readyz").json()["checks"]
    return {name: check["why"] for name, check in checks.items() if not check["ok"]}


def test_alive_without_a_database(client, monkeypatch):
    """No `db` fixture: a statement would fail here."""
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_ready(client, worker, ada):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert why(client) == {}


def test_not_ready_while_a_migration_is_pending(client, worker):
    MigrationRecorder(connection).record_unapplied("stories", "0001_initial")
    assert client.get("/readyz").status_code == 503
    assert set(why(client)) == {"migrations"}
    assert "manage.py migrate" in why(client)["migrations"]


def test_not_ready_while_somebody_erased_is_there_again(client, worker, ada):
    add_tombstone(sign_statement({"kind": "begun", "person": str(ada)}))
    assert client.get("/readyz").status_code == 503
    assert set(why(client)) == {"erased"} and "erase_again" in why(client)["erased"]
    erase_again(actor=TESTER)
    assert client.get("/readyz").status_code == 200


def test_not_ready_with_another_master_key(client, worker, ada, settings):
    settings.ENCRYPTION_KEY = os.urandom(32).hex()
    assert client.get("/readyz").status_code == 503
    assert "ENCRYPTION_KEY" in why(client)["keys"]
    assert str(ada) not in why(client)["keys"]


def test_a_retired_master_key_is_enough(client, worker, ada, settings):
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = os.urandom(32).hex(), settings.ENCRYPTION_KEY
    assert client.get("/readyz").status_code == 200


def test_one_damaged_key_does_not_stop_everybody(client, worker, ada, jonas):
    with as_system(), connection.cursor() as cursor:
        cursor.execute("UPDATE user_keys SET wrapped = '\\x00' WHERE user_id = %s", [jonas])
    assert client.get("/readyz").status_code == 200


def test_without_a_worker_requests_are_served_unless_it_is_needed(client, db, settings):
    assert client.get("/readyz").status_code == 200
    assert set(why(client)) == {"worker"}
    settings.READY_NEEDS_WORKER = True
    assert client.get("/readyz").status_code == 503


def test_a_class_of_work_without_a_worker_is_named(client, db, settings):
    settings.READY_NEEDS_WORKER = True
    register_workers("audit", "waited", "imports", "webhooks")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert why(client) == {
        "worker": "stories: no worker is running. Start a worker: manage.py worker --classes stories"
    }
    register_workers("stories")
    assert client.get("/readyz").status_code == 200


def test_a_class_that_is_late_is_named_with_its_last_failure_and_requests_come_on(client, worker, settings):
    settings.READY_NEEDS_WORKER = True
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
            "VALUES ('waited', 'accounts.export', '{}', 'todo', now() - interval '90 seconds')"
        )
    assert set(why(client)) == {"jobs"}
    assert "waited: the oldest job that is due waits 9" in why(client)["jobs"]
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO job_failures VALUES ('waited', 'accounts.export', 'provider-away', now())")
    assert "the last failure was provider-away of accounts.export" in why(client)["jobs"]
    assert client.get("/readyz").status_code == 200


def test_a_job_that_is_not_due_yet_is_not_late(client, worker):
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
            "VALUES ('audit', 't', '{}', 'todo', now() + interval '1 hour')"
        )
    assert why(client) == {}


def test_a_job_without_a_time_is_due_since_it_was_asked_for(client, worker):
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('audit', 't', '{}') RETURNING id"
        )
    assert why(client) == {}
    with as_system(), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '31 seconds'")
    assert set(why(client)) == {"jobs"} and "audit" in why(client)["jobs"]


def test_a_worker_that_went_silent_does_not_live(client, worker):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'")
    assert set(why(client)) == {"worker"}


def test_not_ready_without_a_database_and_no_host_is_named(client, db, monkeypatch):
    def away():
        raise OperationalError("connection to server at db.internal, user vibe, failed")

    monkeypatch.setattr(readiness, "database", away)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "internal" not in answer.content.decode()
    checks = {"database", "pooler", "migrations", "keys", "key_service", "erased", "worker", "jobs", "nodes"}
    assert set(why(client)) == checks


def test_probes_leave_no_row_in_the_trail(client, worker):
    def count() -> int:
        with as_system():
            return AuditLog.objects.count()

    before = count()
    client.get("/readyz")
    client.get("/livez")
    assert count() == before
    client.get("/admin/")
    assert count() == before + 1, "the control: others do"


def test_a_probe_asks_the_database_little_and_nothing_while_its_answer_is_remembered(
    client, worker, ada, django_assert_max_num_queries, monkeypatch
):
    """Probes come every few seconds to every process: their round trips are what they cost."""
    client.get("/readyz")
    with django_assert_max_num_queries(14):
        client.get("/readyz")
    monkeypatch.setattr(readiness, "REMEMBERED_SECONDS", 60.0)
    client.get("/readyz")
    with django_assert_max_num_queries(0):
        client.get("/readyz")


def test_probes_come_without_tls(client, worker, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/").status_code == 301, "the control"
