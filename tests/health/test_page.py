"""The health page: for engineers, recorded, and without a word of anybody's data."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.staff.groups import ensure_groups
from audit.models import AuditLog
from tests.workers import register_workers
from vibe.core.db.health.reading import Chapter, Reading, Verdict
from vibe.core.db.scopes import as_staff, as_support

URL = "/admin/health/"
STATEMENTS = 15  # as every page: it asks PostgreSQL about eight things in two rounds


def client_of(*roles: str) -> Client:
    ensure_groups()
    user = User.objects.create_user(f"{'-'.join(roles) or 'nobody'}@example.com", "correct horse battery")
    with as_staff():
        user.groups.set(Group.objects.filter(name__in=roles))
    client = Client()
    with as_support():
        client.force_login(user)
    return client


def recorded() -> list[tuple[str, str, str]]:
    with as_support():
        rows = AuditLog.objects.filter(resource="database").order_by("at", "pk")
        return [(row.action, row.outcome, row.actor_kind) for row in rows]


def test_an_engineer_sees_it_and_that_is_recorded(db):
    answer = client_of("engineer").get(URL)
    assert answer.status_code == 200
    titles = [chapter.title for chapter, _, _ in answer.context["chapters"]]
    assert titles[:2] == ["Jobs", "Connections and transactions"]
    assert "As PostgreSQL counts it" in answer.content.decode()
    assert recorded() == [("admin:database_health", "ok", "staff")]


@pytest.mark.parametrize("roles", [(), ("support",), ("approver",), ("auditor",), ("support", "approver", "auditor")])
def test_nobody_else_does_and_that_is_recorded_too(db, roles):
    client = client_of(*roles)
    assert client.get(URL).status_code == 403
    assert recorded() == [("admin:database_health", "refused", "staff")]
    assert URL not in client.get("/admin/").content.decode()


def test_an_engineer_finds_it_in_the_sidebar(db):
    assert URL in client_of("engineer").get("/admin/").content.decode()


def test_who_is_not_signed_in_is_sent_to_sign_in(db):
    answer = Client().get(URL)
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('admin:login')}?next={URL}")


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_only_looked_at(db, method):
    assert getattr(client_of("engineer"), method)(URL).status_code == 405


def test_it_takes_few_round_trips(db):
    client = client_of("engineer")
    client.get(URL)
    with CaptureQueriesContext(connection) as statements:
        client.get(URL)
    assert len(statements) <= STATEMENTS


def test_what_is_wrong_is_named_first_and_what_to_do_with_it(db, monkeypatch):
    wrong = Reading("users_name", "broken", Verdict.BAD, "REINDEX INDEX CONCURRENTLY users_name;")
    found = [Chapter("Indexes", "About them.", (wrong,)), Chapter("Locks", "About them.", empty="Nobody waits.")]
    monkeypatch.setattr("vibe.staff.health_page.report_with_jobs", lambda: found)
    page = client_of("engineer").get(URL).content.decode()
    assert "To look at:" in page
    assert "REINDEX INDEX CONCURRENTLY users_name;" in page
    assert "Nobody waits." in page
    monkeypatch.setattr("vibe.staff.health_page.report_with_jobs", lambda: found[1:])
    assert "Nothing needs doing." in client_of("engineer", "support").get(URL).content.decode()


def test_the_classes_of_work_are_shown_with_which_has_stopped_and_why(db):
    register_workers("audit", "waited", "imports", "webhooks")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
            "VALUES ('waited', 't', '{}', 'todo', now() - interval '5 minutes')"
        )
    [readings] = [
        {reading.name: (reading.verdict, reading.value, reading.advice) for reading, _ in readings}
        for chapter, _, readings in client_of("engineer").get(URL).context["chapters"]
        if chapter.title == "Jobs"
    ]
    assert {name: verdict for name, (verdict, _, _) in readings.items()} == {
        "audit": Verdict.OK,
        "waited": Verdict.WATCH,
        "stories": Verdict.BAD,
        "imports": Verdict.OK,
        "webhooks": Verdict.OK,
    }
    assert "1 wait" in readings["waited"][1] and "the oldest job that is due waits 30" in readings["waited"][2]
    assert "no worker is running" in readings["stories"][2]


def test_what_a_statement_says_is_escaped(db, monkeypatch):
    found = [Chapter("Slowest statements", "-", (Reading("<script>alert(1)</script>", "x"),))]
    monkeypatch.setattr("vibe.staff.health_page.report_with_jobs", lambda: found)
    assert "<script>alert(1)" not in client_of("engineer").get(URL).content.decode()
