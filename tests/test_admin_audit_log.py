"""Who read my data: the audit log in plain words, narrowed by what was done and when, as a file, with its proof."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse
from django.utils import timezone

from accounts.models import User
from audit.actors import Actor, Origin
from audit.models import AuditLog
from audit.proof.badge import AS_SEALED, CHANGED, NOT_YET
from audit.reading.words import KINDS, WORDS, action_in_words
from audit.sealing.services import seal
from audit.services import record
from tests.admin_roles import client_of, member
from tests.protections import unprotected
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.scopes import as_support

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def noa(db: None, settings: Any) -> Client:
    settings.ONE_TIME_CODES = True
    return client_of(member("auditor"))


@pytest.fixture
def read(ada: UUID, jonas: UUID) -> UUID:
    """Ada's content was read once, exported once and changed once; Jonas's was read twice."""
    staff = Actor.staff(UUID(int=7), Origin())
    for whose, action in ((ada, "content.read"), (ada, "export.make"), (ada, "memory.change")):
        record(actor=staff, action=action, subject=whose, resource="users/x", reason="=1+1")
    for _ in range(2):
        record(actor=staff, action="content.read", subject=jonas)
    return ada


def listed(client: Client, **query: Any) -> list[str]:
    return [row.action for row in client.get(list_url(AuditLog, **query)).context["cl"].result_list]


def rows_of(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_one_click_from_the_person_to_who_read_their_data(read, noa):
    buttons = {button.title: button.url for button in noa.get(page_url(User, read)).context["buttons"]}
    rows = noa.get(buttons["Who read their data?"]).context["cl"].result_list
    assert [(row.action, row.subject) for row in rows] == [("content.read", read)]


@pytest.mark.parametrize(
    ("done", "found"),
    [("content", ["content.read"]), ("exports", ["export.make"]), ("changes", ["memory.change"]), ("sign-ins", [])],
)
def test_presets_of_one_person(read, noa, done, found):
    assert listed(noa, subject=read, done=done) == found


def test_presets_are_for_what_an_index_leads_to(read, noa):
    page = noa.get(list_url(AuditLog)).content.decode()
    assert "Content read by staff" not in page
    page = noa.get(list_url(AuditLog, subject=read)).content.decode()
    above = page.partition('aria-label="What was done"')[2].partition("</nav>")[0]
    assert "Content read by staff" in above and "done=content" in above and f"subject={read}" in above
    for query in ({"done": "content"}, {"done": "nothing", "subject": read}):
        answer = noa.get(list_url(AuditLog, **query), follow=True)
        assert "A filter in the address cannot be read." in answer.content.decode()


def test_days_from_and_to(read, noa):
    today = timezone.now().date()
    tomorrow, yesterday = today + timedelta(days=1), today - timedelta(days=1)
    one = {"subject": read, "done": "content"}
    assert listed(noa, **one, **{"from": today, "to": today}) == ["content.read"]
    assert listed(noa, **one, **{"from": tomorrow}) == []
    assert listed(noa, **one, to=yesterday) == []
    page = noa.get(list_url(AuditLog, **one, **{"from": today})).content.decode()
    assert f'name="from" value="{today}"' in page
    assert f'type="hidden" name="subject" value="{read}"' in page
    for wrong in ("x", "2026-13-01", "9999-12-31", "\x00"):
        assert noa.get(list_url(AuditLog, to=wrong), follow=True).status_code == 200


def test_a_file_of_what_is_listed(read, noa):
    head, *rows = rows_of(noa.get(reverse("admin:audit_auditlog_csv"), {"subject": read, "done": "content"}))
    [row] = [dict(zip(head, row, strict=True)) for row in rows]
    assert (row["done"], row["whose"], row["outcome"]) == ("Read content under a grant", "ada@example.com", "Ok")
    assert row["reason"] == "'=1+1", "no cell is a formula"
    with as_support():
        taken = AuditLog.objects.filter(action="audit.export").get()
    assert (taken.subject, taken.details["rows"], taken.details["query"]) == (read, 1, ["done", "subject"])
    assert noa.post(reverse("admin:audit_auditlog_csv")).status_code == 403
    assert noa.get(reverse("admin:audit_auditlog_csv"), {"to": "x"}).status_code == 404


def test_a_file_that_was_cut_says_so(read, noa, monkeypatch):
    monkeypatch.setattr("audit.admin.CSV_ROWS", 1)
    rows = rows_of(noa.get(reverse("admin:audit_auditlog_csv"), {"subject": read}))
    assert len(rows) == 3
    assert rows[-1][0].startswith("There are more than 1 rows.")


@pytest.mark.parametrize("role", ["support", "approver", "engineer", ""])
def test_a_file_is_for_who_may_see_the_audit_log(read, role, settings):
    settings.ONE_TIME_CODES = True
    client = client_of(member(role))
    assert client.get(reverse("admin:audit_auditlog_csv"), {"subject": read}).status_code == 403
    assert client.get(list_url(AuditLog, subject=read)).status_code == 403


def proof(client: Client, read: UUID) -> str:
    [row] = client.get(list_url(AuditLog, subject=read, done="content")).context["cl"].result_list
    shown = client.get(page_url(AuditLog, row.pk)).content.decode()
    assert row.badge in shown, "and on its own page"
    return row.badge


def test_a_row_says_whether_it_is_as_it_was_sealed(read, noa):
    assert proof(noa, read) == NOT_YET
    assert seal(sweep=True).rows
    assert proof(noa, read) == AS_SEALED


def test_control_a_row_that_is_not_what_was_sealed_is_told(read, noa):
    with as_support():
        row = AuditLog.objects.about(read).get(action="content.read")
    with unprotected("audit_leaves") as cursor:
        cursor.execute("INSERT INTO audit_leaves VALUES (1, %s, %s, sha256('another row'))", [row.pk, row.at])
    assert proof(noa, read) == CHANGED


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("content.read", "Read content under a grant"),
        ("api:list_memories", "Through the API: list memories"),
        ("admin:memories_memory_changelist", "Looked at a list of metadata: memory"),
        ("admin:memories_memory_change", "Looked at a page of metadata: memory"),
        ("POST admin:accounts_accessgrant_do", "Sent a form: accessgrant"),
        ("admin:accounts_user_do", "Opened the question before an action: user"),
        ("POST admin:retry_failed_jobs", "Sent a form: retry failed jobs"),
        ("something.new", "something.new"),
        ("", ""),
    ],
)
def test_actions_in_words(action, words):
    assert action_in_words(action) == words


def test_every_page_of_the_admin_has_words():
    names = {
        name for name in get_resolver("vibe.urls").namespace_dict["admin"][1].reverse_dict if isinstance(name, str)
    }
    assert len(names) > 60
    actions = [f"{method}admin:{name}" for name in names for method in ("", "POST ")]
    assert [action for action in actions if "admin:" in action_in_words(action)] == []


def test_every_action_that_verbs_record_has_words():
    recorded = re.compile(r'(?:action=|_record\([^"\n]*)"([a-z_-]+\.[a-z_-]+)"')
    files = [path for app in ("accounts", "audit", "memories", "stories") for path in (ROOT / app).rglob("*.py")]
    verbs = [path for path in files if "services" in str(path)]
    known = {action for path in verbs for action in recorded.findall(path.read_text())}
    assert len(known) > 40
    assert known - set(WORDS) == set()


def test_the_list_stays_within_its_round_trips(read, noa):
    with CaptureQueriesContext(connection) as statements:
        noa.get(list_url(AuditLog, subject=read, done="content"))
    assert len(statements) <= 15


def counted(client: Client, **query: Any) -> int:
    with CaptureQueriesContext(connection) as statements:
        client.get(list_url(AuditLog, **query))
    return sum("COUNT(*)" in each["sql"] and "audit_logs" in each["sql"] for each in statements.captured_queries)


def test_rows_that_one_page_holds_are_read_once_and_not_counted(read, noa, monkeypatch):
    """Each counting looks through all rows of the person, where no index leads to what was done."""
    assert counted(noa, subject=read, done="exports") == 0
    shown = noa.get(list_url(AuditLog, subject=read, done="exports"))
    assert shown.context["cl"].paginator.total == "1"
    monkeypatch.setattr("audit.admin.AuditLogAdmin.list_per_page", 1)
    assert counted(noa, subject=read) == 1, "the control: what goes on is counted, once"
    first, second = (listed(noa, subject=read, done="changes", p=page) for page in (1, 2))
    assert (first, second) == (["memory.change"], [])


@pytest.mark.parametrize(("done", "led"), [("content", True), ("staff", True), ("exports", False)])
def test_an_index_leads_to_what_staff_did_with_one_persons_data(read, done, led):
    rows = AuditLog.objects.about(read).filter(KINDS[done][1]).order_by("-at", "-id")[:51]
    with as_support(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_logs_subject_staff'::regclass"
        )
        of_partitions = [name for (name,) in cursor.fetchall()]
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        plan = rows.explain()
    assert any(name in plan for name in of_partitions) == led, plan
