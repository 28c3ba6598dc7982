"""/metrics: who may read it, that each figure moves with what it measures, and that it holds nothing of anybody."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from prometheus_client.parser import text_string_to_metric_families

from accounts.keys.services.data_keys import open_vault
from audit.services import record
from stories.models import PendingMemory
from stories.search.services import search_stories
from tests.building import build_conversation
from tests.cast import TESTER
from tests.workers import register_workers
from vibe.core.crypto.errors import SealError
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system, as_user
from vibe.metrics import figures, view
from vibe.metrics.attaching import attach

DOCS = Path(__file__).resolve().parent.parent / "docs" / "monitoring"
TOKEN = "a-token-for-prometheus"
CANARY = "quizzicalcanary"


@pytest.fixture(autouse=True)
def readable(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    settings.METRICS_NETWORKS = ""
    attach()


def text(client: Any) -> str:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.content.decode()


def value(client: Any, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text(client))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


# Who may read it


def test_nobody_without_the_token(client, db):
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403
    assert b"vibe_requests" not in client.get("/metrics").content


def test_an_empty_token_opens_nothing(client, db, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


def test_a_network_that_is_named_may(client, db, settings):
    settings.METRICS_NETWORKS = "10.1.0.0/16"
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.2.2.3").status_code == 403
    forged = client.get("/metrics", REMOTE_ADDR="10.2.2.3", headers={"X-Forwarded-For": "10.1.2.3"})
    assert forged.status_code == 403, "a client's own word was believed"


# What it says


def test_requests_are_counted_by_route_and_never_by_path(client, ada):
    before = value(client, "vibe_requests_total", route="home", status="200")
    client.get("/")
    client.get(f"/admin/accounts/user/{ada}/change/")
    client.get(f"/{CANARY}/{ada}")
    assert value(client, "vibe_requests_total", route="home", status="200") == before + 1
    assert value(client, "vibe_requests_total", route="admin:accounts_user_change") >= 1
    assert value(client, "vibe_request_seconds_count", route="none") >= 1
    assert str(ada) not in text(client)
    assert CANARY not in text(client)


def test_an_invented_method_is_no_label(client, db):
    client.generic(CANARY.upper(), "/")
    assert CANARY.upper() not in text(client)
    assert value(client, "vibe_requests_total", method="OTHER") >= 1


def test_statements_are_timed_by_their_kind(client, db):
    before = value(client, "vibe_statement_seconds_count", kind="SELECT")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert value(client, "vibe_statement_seconds_count", kind="SELECT") > before


def test_a_statement_that_fails_is_counted(client, db):
    before = value(client, "vibe_statements_failed_total", kind="SELECT")
    from django.db import transaction

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert value(client, "vibe_statements_failed_total", kind="SELECT") == before + 1


def test_seals_and_openings_are_counted_and_so_are_failures(client, ada):
    counts = [("seal", "ok"), ("open", "ok"), ("open", "failed")]

    def read() -> list[float]:
        return [value(client, "vibe_crypto_operations_total", operation=o, outcome=r) for o, r in counts]

    before = read()
    with as_user(ada):
        vault = open_vault()
    place = Address("stories", "title", ada, uuid7())
    sealed = vault.seal("A title", place)
    vault.open(sealed, place)
    with pytest.raises(SealError):
        vault.open(Sealed(sealed.ciphertext[:-1] + b"\0"), place)
    assert [after - was for after, was in zip(read(), before, strict=True)] == [1, 1, 1]


def test_searches_are_timed_by_strategy(client, ada, tell):
    from memories.models import Conversation

    tell(ada, "first", [("Ada", f"I moved to Lisbon with {CANARY}.")])
    with as_user(ada):
        conversation = Conversation.objects.of(ada).get().pk
    build_conversation(ada, conversation)
    before = value(client, "vibe_search_seconds_count", strategy="exact")
    search_stories(user_id=ada, question=f"Where is {CANARY}?", actor=TESTER)
    assert value(client, "vibe_search_seconds_count", strategy="exact") == before + 1
    assert CANARY not in text(client)


def test_jobs_are_counted_by_queue_and_state(client, db):
    before = value(client, "vibe_jobs", queue="stories", state="todo")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES ('stories', 't', '{}', 'todo')"
        )
    assert value(client, "vibe_jobs", queue="stories", state="todo") == before + 1


def test_workers_and_what_waits_are_told_by_queue(client, db):
    def told(name: str) -> dict[str, float]:
        return {queue: value(client, name, queue=queue) for queue in ("audit", "waited", "stories", "imports")}

    assert told("vibe_workers") == dict.fromkeys(told("vibe_workers"), 0.0)
    assert 'vibe_workers{queue="audit"} 0.0' in text(client), "an alert needs the row, not its absence"
    register_workers("audit", "stories", "stories")
    assert told("vibe_workers") == {"audit": 1, "waited": 0, "stories": 2, "imports": 0}
    assert told("vibe_worker_slots") == {"audit": 1, "waited": 0, "stories": 2, "imports": 0}
    assert 0 <= value(client, "vibe_worker_heartbeat_age_seconds", queue="audit") < 60
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
            "VALUES ('waited', 't', '{}', 'todo', now() - interval '90 seconds')"
        )
        cursor.execute("INSERT INTO job_failures VALUES ('stories', 'stories.tell', 'provider-away', now())")
    assert 90 <= told("vibe_queue_latency_seconds")["waited"] < 150
    assert told("vibe_queue_latency_seconds")["audit"] == 0
    labels = {"queue": "stories", "task": "stories.tell", "code": "provider-away"}
    assert value(client, "vibe_job_last_failure_timestamp_seconds", **labels) > 1_700_000_000


def test_the_oldest_memory_that_is_not_in_the_index_is_told(client, ada, tell):
    def told() -> list[float]:
        return [value(client, "vibe_unindexed_memory_age_seconds", queue=queue) for queue in ("waited", "imports")]

    assert told() == [0, 0]
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])  # imported: a job is to index it
    with as_user(ada):
        PendingMemory.objects.of(ada).update(created_at=Now() - timedelta(seconds=90))
    assert told()[0] == 0 and 90 <= told()[1] < 150
    with as_user(ada):
        PendingMemory.objects.of(ada).update(bulk=False)
    assert 90 <= told()[0] < 150 and told()[1] == 0


def test_the_trails_lag_is_the_age_of_what_is_not_sealed(client, db):
    with as_system():
        record(actor=TESTER, action="test")
    assert value(client, "vibe_audit_unsealed_rows") >= 1
    assert 0 <= value(client, "vibe_audit_lag_seconds") < 60


def test_the_database_and_the_disk_are_measured(client, db):
    assert value(client, "vibe_database_size_bytes") > 1_000_000
    assert value(client, "vibe_database_max_connections") >= 10
    assert value(client, "vibe_database_connections") >= 1
    assert value(client, "vibe_disk_free_bytes", place="state") > 0
    assert value(client, "vibe_figures_failed") == 0


def test_a_figure_that_fails_does_not_take_the_others_with_it(client, db, monkeypatch):
    def broken() -> figures.Figures:
        raise DatabaseError

    monkeypatch.setattr(view, "ASKED", (("vibe_jobs", "", (), broken), *view.ASKED[4:]))
    assert value(client, "vibe_figures_failed") == 1
    assert value(client, "vibe_database_size_bytes") > 0


def test_reading_is_not_recorded_and_makes_no_row(client, db):
    from audit.models import AuditLog

    with as_system():
        before = AuditLog.objects.count()
    text(client)
    with as_system():
        assert AuditLog.objects.count() == before


# What is made of it


def known(client: Any) -> set[str]:
    """Every name that can be asked for, with the endings of histograms and counters."""
    return {
        name
        for family in text_string_to_metric_families(text(client))
        for name in (
            family.name,
            f"{family.name}_total",
            f"{family.name}_bucket",
            f"{family.name}_count",
            f"{family.name}_sum",
        )
    }


@pytest.mark.parametrize("page", ["dashboard.json", "alerts.yml"])
def test_the_dashboard_and_the_alerts_name_figures_that_exist(client, db, page):
    named = set(re.findall(r"\bvibe_[a-z_]+", (DOCS / page).read_text()))
    assert len(named) >= 8
    assert named <= known(client)
    assert "vibe_no_such_figure" not in known(client), "the control"


def test_the_dashboard_is_one(client, db):
    board = json.loads((DOCS / "dashboard.json").read_text())
    asked = {name for panel in board["panels"] for target in panel.get("targets", ()) for name in [target["expr"]]}
    assert len(asked) >= 12
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
