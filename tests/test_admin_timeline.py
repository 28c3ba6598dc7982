"""A person's page is a timeline: what happened, of every kind that the viewer may see, by indexes, a page at a time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.erasure.services import cancel_erasure, request_erasure
from accounts.export.services import request_export
from accounts.grants import services as grants
from accounts.models import User
from accounts.staff.groups import ensure_groups
from audit.actors import Actor, Origin
from audit.services import record
from memories.imports.services.uploaded import Options, begin_import
from memories.models import Conversation
from memories.services.conversations import set_archived
from stories.models import Story
from tests.admin_roles import ROLES, client_of, member
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from vibe.core.admin.links import page_url
from vibe.core.db.scopes import as_support, as_user
from vibe.staff import timeline

EVERY = {"conversations", "stories", "exports", "imports", "erasures", "grants"}
SEEN = {"support": EVERY, "approver": EVERY, "auditor": EVERY | {"reads"}, "engineer": EVERY | {"jobs"}}


@pytest.fixture
def lived(ada: UUID, tell: Any, settings: Any) -> UUID:
    """One thing of each kind happened to Ada, and two conversations of one moment."""
    settings.ONE_TIME_CODES = True
    for name in ("first", "second"):
        tell(ada, name, [("Ada", "I met xylocanary.")])
        with as_user(ada):
            build_conversation(ada, Conversation.objects.of(ada).get(external_id=name).pk)
    with as_user(ada):
        Story.objects.of(ada).update(failure="The model service gave no answer.", tries=3)
        archived = Conversation.objects.of(ada).get(external_id="second").pk
    set_archived(user_id=ada, conversation_id=archived, archived=True, actor=TESTER)
    request_export(user_id=ada, actor=TESTER)
    begin_import(user_id=ada, form="jsonl", options=Options(), dry_run=False, actor=TESTER)
    ensure_groups()
    asking = Actor.staff(User.objects.create_user("lena@staff.example", "p", role="support").pk, Origin())
    grants.request_access(user_id=ada, actor=asking, reason="r", ticket="T-117", duration=timedelta(hours=1))
    read = {"action": "content.read", "subject": ada, "details": {"ticket": "T-117", "rows": 3}}
    record(actor=asking, resource=f"conversations/{archived}/content", **read)
    record(actor=TESTER, resource="not by staff", **read)
    request_erasure(user_id=ada, actor=TESTER)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES "
            "('waited', 'accounts.export', jsonb_build_object('user_id', %s::text), 'failed'), "
            "('waited', 'accounts.export', jsonb_build_object('user_id', gen_random_uuid()), 'failed')",
            [str(ada)],
        )
    return ada


@pytest.fixture
def boss(superuser: User) -> Client:
    return client_of(superuser)


def shown(client: Client, person: UUID, **query: Any) -> dict[str, Any]:
    answer = client.get(page_url(User, person), query)
    assert answer.status_code == 200
    return answer.context["timeline"]


def told(client: Client, person: UUID, **query: Any) -> list[str]:
    return [entry.text for entry in shown(client, person, **query)["entries"]]


def test_each_kind_in_words_and_with_a_link(lived, boss):
    words = {
        "conversations": "Conversation first: 1 memory, begun 1",
        "stories": "Story of 1 memory: it could not be built, after 3 tries. The model service gave no answer.",
        "jobs": "Job: Make a requested export. It failed. ",
        "exports": "Export of all data asked for: it failed. It was given up, because the person is to be erased.",
        "imports": "Import of a file (jsonl): it is being uploaded.",
        "erasures": "Erasure asked for: it begins ",
        "grants": "lena@staff.example asked to read their content (T-117): it waits for an approver.",
        "reads": "lena@staff.example read one conversation, 3 rows (T-117).",
    }
    assert set(words) == set(timeline.KINDS)
    for kind, text in words.items():
        entries = shown(boss, lived, kind=kind)["entries"]
        assert any(entry.text.startswith(text) for entry in entries), (kind, [entry.text for entry in entries])
        assert all(boss.get(entry.url).status_code == 200 for entry in entries)
        assert len(entries) == (2 if kind in ("conversations", "stories") else 1), "of this person alone"
    assert sum("It is archived" in text for text in told(boss, lived)) == 1
    assert len(told(boss, lived)) == 10


def test_a_scheduled_erasure_stands_on_top_whatever_is_shown(lived, boss):
    for query in ({}, {"kind": "grants"}, {"to": "2020-01-01"}):
        assert [entry.text.partition(" begins")[0] for entry in shown(boss, lived, **query)["scheduled"]] == [
            "Erasure asked for: it"
        ]
    cancel_erasure(user_id=lived, actor=TESTER)
    assert shown(boss, lived)["scheduled"] == []


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_the_kinds_whose_tables_it_may_see(lived, role):
    client = client_of(member(role))
    titles = {title for title, *_ in shown(client, lived)["kinds"]}
    assert titles == {"All"} | {timeline.KINDS[name].title for name in SEEN[role]}
    icons = {entry.icon for entry in shown(client, lived)["entries"]}
    assert icons == {timeline.KINDS[name].icon for name in SEEN[role]}
    for hidden in set(timeline.KINDS) - SEEN[role]:
        answer = client.get(page_url(User, lived), {"kind": hidden})
        assert "A filter in the address cannot be read." in answer.content.decode()
        assert timeline.KINDS[hidden].icon not in {entry.icon for entry in answer.context["timeline"]["entries"]}


def test_pages_go_on_from_the_last_entry_and_miss_none_of_one_moment(lived, boss, monkeypatch):
    whole = shown(boss, lived)["entries"]
    monkeypatch.setattr("vibe.staff.timeline.PAGE", 1)
    pages, query = [], "?"
    while query:
        page = boss.get(page_url(User, lived) + query).context["timeline"]
        pages += page["entries"]
        query = page["older"]
    assert pages == whole
    assert page["newest"] == "?"
    assert len({entry.at for entry in whole}) < len(whole), "some happened at the same moment"


def test_days_of_utc(lived, boss):
    day = DAY.date()
    begun = {"conversations", "stories"}
    of_then = shown(boss, lived, **{"from": day, "to": day})["entries"]
    assert {entry.icon for entry in of_then} == {timeline.KINDS[name].icon for name in begun}
    assert (
        shown(boss, lived, **{"from": day + timedelta(days=1), "to": timezone.now().date() - timedelta(days=2)})[
            "entries"
        ]
        == []
    )
    assert len(told(boss, lived, **{"from": day + timedelta(days=1)})) == len(told(boss, lived)) - len(of_then)


@pytest.mark.parametrize(
    "query",
    [
        *({"from": "x"}, {"to": "9999-12-31"}, {"from": "\x00"}, {"kind": "memories"}, {"kind": "\x00"}),
        *({"before": "x"}, {"before": "2026-01-01~x"}, {"before": f"2026-01-01~{UUID(int=1)}"}, {"before": "~" * 9999}),
    ],
)
def test_what_cannot_be_read_is_left_out_and_said(lived, boss, query):
    answer = boss.get(page_url(User, lived), query)
    assert "A filter in the address cannot be read." in answer.content.decode()
    assert len(answer.context["timeline"]["entries"]) == 10


def test_one_click_leads_to_the_account_and_what_else_the_page_had(lived, boss, superuser):
    page = boss.get(page_url(User, lived)).content.decode()
    for link, anchor in (("#account", 'id="account"'), ("#related", 'id="related"')):
        assert f'href="{link}"' in page and anchor in page
    for field in ("Firebase UID", "Email verified", "Related records"):
        assert field in page
    assert "timeline" not in boss.get(page_url(User, superuser.pk)).context, "staff have none"


INDEXES = {
    "conversations": ("conversations_active", "conversations_archived"),
    "stories": ("stories_newest",),
    "exports": ("exports_of_person",),
    "imports": ("imports_of_person",),
    "erasures": ("erasures_person_key",),
    "grants": ("access_grants_of_person",),
    "reads": ("audit_logs_subject_staff",),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_of_the_person_leads_to_each_kind(lived, kind):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX access_grants_newest")  # which is as good as long as there are few
    with as_support(), connection.cursor() as cursor:
        cursor.execute("SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits")
        names = {part: whole for whole, part in cursor.fetchall()}
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        statement, values = timeline.KINDS[kind].ask(lived, timeline.Span())
        cursor.execute(f"EXPLAIN {statement}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    used = {names.get(name, name) for name in re.findall(r"Index (?:Only )?Scan (?:Backward )?using (\w+)", plan)}
    assert used >= set(INDEXES[kind]), plan


def test_the_page_stays_within_its_round_trips(lived, boss):
    boss.get(page_url(User, lived))
    with CaptureQueriesContext(connection) as statements:
        boss.get(page_url(User, lived))
    assert len(statements) <= 15
