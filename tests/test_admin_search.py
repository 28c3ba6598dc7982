"""Search from every page: what names something leads to it, for whoever may see it, and without scripts."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.erasure.services import request_erasure
from accounts.models import Erasure, User
from audit.models import AuditLog
from memories.models import Conversation, Memory
from stories.models import Story
from tests.admin_roles import ROLES, client_of, member
from tests.building import build_conversation
from tests.cast import TESTER
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.scopes import as_support, as_user


@pytest.fixture
def boss(superuser: User, settings: Any) -> Client:
    settings.ONE_TIME_CODES = True
    return client_of(superuser)


@pytest.fixture
def conversation(ada: UUID, jonas: UUID, tell: Any) -> UUID:
    """Ada's and Jonas's apps gave a conversation the same name."""
    for person in (ada, jonas):
        tell(person, "chat-1", [("Ada", "I met xylocanary.")])
    with as_user(ada):
        found = Conversation.objects.of(ada).get().pk
        build_conversation(ada, found)
    return found


def search(client: Client, term: str) -> dict[str, list[str]]:
    """Where the links of each kind lead."""
    answer = client.get(reverse("admin:search"), {"q": term})
    assert answer.status_code == 200
    return {group.title: [row.url for row in group.rows] for group in answer.context["groups"]}


def test_what_names_a_person(boss, ada):
    for term in ("ada@example.com", "ADA@example", "ada@", "ada", str(ada), f"  {ada}  "):
        assert search(boss, term)["Accounts"] == [page_url(User, ada)], term
    for term in ("da@example.com", "%", "_da@example.com", "example.com", "\x00", "x" * 201, ""):
        assert search(boss, term) == {}, term


def test_an_external_id_lists_everybodys_and_a_message_id_its_memory(boss, ada, jonas, conversation):
    assert len(search(boss, "chat-1")["Conversations"]) == len(search(boss, "cha")["Conversations"]) == 2
    assert search(boss, "hat-1") == {}
    assert len(search(boss, "m1")["Memories"]) == 2
    assert search(boss, "m") == {}, "a message id is found as a whole"
    listed = boss.get(list_url(Conversation, q="chat-1")).context["cl"].result_list
    assert len(listed) == 2, "and by the search of the list, to which the link for more leads"


def test_an_id_of_each_table(boss, ada, conversation):
    request_erasure(user_id=ada, actor=TESTER)
    with as_user(ada):
        rows = {
            "Conversations": page_url(Conversation, conversation),
            "Memories": page_url(Memory, Memory.objects.of(ada).values_list("pk", flat=True)[0]),
            "Stories": page_url(Story, Story.objects.of(ada).values_list("pk", flat=True)[0]),
        }
    with as_support():
        rows["Audit log"] = page_url(AuditLog, AuditLog.objects.values_list("pk", flat=True)[0])
        erasure = Erasure.objects.get(person=ada).pk
    for title, url in rows.items():
        assert search(boss, url.split("/")[-3])[title] == [url]
    assert search(boss, str(ada))["Erasures"] == search(boss, str(erasure))["Erasures"] == [page_url(Erasure, erasure)]
    assert len(search(boss, str(ada))["In the audit log"]) == 1
    with as_support():
        job = ProcrastinateJob.objects.values_list("pk", flat=True)[0]
    assert search(boss, str(job))["Jobs"] == [page_url(ProcrastinateJob, job)]
    assert search(boss, str(uuid4())) == {}


def test_the_id_of_a_request(boss, ada):
    answer = boss.get(page_url(User, ada))
    found = search(boss, answer.headers["X-Request-ID"])
    with as_support():
        [row] = AuditLog.objects.filter(request_id=answer.headers["X-Request-ID"])
    assert found == {"Audit log": [page_url(AuditLog, row.pk)]}


def test_of_many_the_first_are_shown_with_the_way_to_all(boss, person):
    for number in range(12):
        person(f"many-{number}")
    [group] = boss.get(reverse("admin:search"), {"q": "many-"}).context["groups"]
    assert len(group.rows) == 10
    assert len(boss.get(group.more).context["cl"].result_list) == 12


@pytest.mark.parametrize("role", ["", *ROLES])
def test_each_role_finds_what_it_may_see(ada, conversation, settings, role):
    settings.ONE_TIME_CODES = True
    client = client_of(member(role))
    if not role:
        assert client.get(reverse("admin:search"), {"q": "ada"}).status_code == 403
        return
    assert set(search(client, "ada@example.com")) == {"Accounts"}
    assert ("In the audit log" in search(client, str(ada))) == (role == "auditor")
    with as_support():
        row, job = (
            AuditLog.objects.values_list("pk", flat=True)[0],
            ProcrastinateJob.objects.values_list("pk", flat=True)[0],
        )
    assert ("Audit log" in search(client, str(row))) == (role == "auditor")
    assert ("Jobs" in search(client, str(job))) == (role == "engineer")


def test_what_was_typed_is_recorded_nowhere(boss, ada):
    assert search(boss, "ada@example.com")
    with as_support():
        row = AuditLog.objects.get(action="admin:search")
    assert (row.resource, row.details) == ("search", {"found": {"Accounts": 1}})
    assert "ada@" not in json.dumps([row.resource, row.reason, row.details, row.user_agent])


def test_every_page_has_the_field_and_works_without_scripts(boss, ada):
    for url in (reverse("admin:index"), page_url(User, ada), list_url(User), reverse("admin:queues")):
        page = boss.get(url).content.decode()
        assert '<form action="/admin/search/" method="get" role="search"' in page
        assert 'id="global-search" name="q"' in page
        assert "vibe/global_search.js" in page
    assert boss.post(reverse("admin:search"), {"q": "ada"}).status_code in (403, 405)


def test_it_stays_within_its_round_trips(boss, ada, conversation):
    for term in ("ada", "chat-1", str(ada), str(conversation), "m1"):
        boss.get(reverse("admin:search"), {"q": term})
        with CaptureQueriesContext(connection) as statements:
            boss.get(reverse("admin:search"), {"q": term})
        assert len(statements) <= 15, term


@pytest.mark.parametrize("lookup", ["external_id", "external_id__startswith"])
def test_an_index_leads_to_external_ids(db, lookup):
    with as_support(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Conversation.objects.filter(**{lookup: "chat-1"}).order_by().values("pk").explain()
    assert "conversations_by_name" in plan
    assert "Index Cond" in plan
