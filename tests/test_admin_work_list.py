"""The work list of the home page: what waits, for whoever can do something about it, and why."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.erasure.services import request_erasure
from accounts.grants import services as grants
from accounts.models import User
from accounts.people.services.people import Profile, ensure_person
from audit.actors import Actor, Origin
from memories.models import Conversation, StorageCount
from memories.payload import Payload
from memories.services.adding import NewMemory, add_memories
from memories.services.conversations import create_conversation
from stories.models import PendingMemory, Story, TokenUse
from stories.search.services import search_memories, search_stories
from tests.admin_roles import ROLES, client_of, member
from tests.cast import DAY, TESTER
from tests.protections import unprotected
from vibe.core.db.schema.owned import first_uuid7_at
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.staff import work_list
from vibe.staff.figures import FRUITLESS

ASKED = "Requests to read content wait for your decision"
OWN = "Your access to content"
DUE = "Erasures due within a week"
FULL = "People near a storage limit"
STOPPED = "Work has stopped or is late"
FAILED = "Failed jobs"
UNBUILT = "Stories that could not be built"
UNFOUND = "Messages that search does not find yet"
REFUSED = "Sign-ins refused in the last 24 hours"
SEEN = {
    "support": {OWN, DUE, FULL, FAILED, UNBUILT},
    "approver": {ASKED, FAILED},
    "auditor": {FAILED, REFUSED},
    "engineer": {STOPPED, FAILED, UNBUILT, UNFOUND},
}


def entries(client: Client) -> dict[str, Any]:
    return {entry.title: entry for entry in client.get(reverse("admin:index")).context["work"]}


def lines(entry: Any) -> str:
    return "\n".join(line.text for line in entry.lines)


def fail_a_job(task: str = "accounts.export", code: str = "database-away") -> int:
    """A job that failed, and why."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) "
            "VALUES ('waited', %s, '{}', 'failed') RETURNING id",
            [task],
        )
        [job] = cursor.fetchone()
        if code:
            cursor.execute("INSERT INTO job_errors (job_id, code, at) VALUES (%s, %s, now())", [job, code])
    return int(job)


@pytest.fixture
def staff(db: None, settings: Any) -> dict[str, User]:
    settings.ONE_TIME_CODES = True
    return {role: member(role) for role in ROLES}


@pytest.fixture
def day(staff: dict[str, User], ada: UUID, jonas: UUID, tell, settings) -> UUID:
    """A day on which everything has gone wrong for Ada."""
    settings.STORAGE_LIMIT_MEMORIES, settings.ERASURE_GRACE_DAYS = "off/20", 3
    tell(ada, "first", [("Ada", "I moved."), ("Vibe", "Where to?")])
    grants.request_access(
        user_id=ada,
        actor=Actor.staff(staff["support"].pk, Origin()),
        reason="It forgot the dog",
        ticket="T-117",
        duration=timedelta(hours=2),
    )
    request_erasure(user_id=jonas, actor=TESTER)
    fail_a_job()
    with as_user(ada):
        Story.objects.create(
            user_id=ada,
            conversation=Conversation.objects.only("pk").get(),
            occurred_from=DAY,
            occurred_to=DAY,
            failure="The model service gave no answer.",
            due_at=timezone.now(),
        )
        StorageCount.objects.filter(user_id=ada).update(memories=9)
    with unprotected("pending_memories") as cursor:
        cursor.execute("UPDATE pending_memories SET created_at = now() - interval '2 hours'")
    Client().post(reverse("admin:login"), {"username": "who@example.com", "password": "wrong"})
    return ada


def test_each_role_sees_what_it_can_do_something_about(day, staff):
    assert {role: set(entries(client_of(staff[role]))) for role in ROLES} == SEEN


def test_control_without_the_permissions_everybody_sees_everything(day, staff, monkeypatch):
    monkeypatch.setattr(User, "has_perm", lambda *_: True)
    shown = set(entries(client_of(staff["auditor"])))
    assert shown == set().union(*SEEN.values()) - {OWN}, "nothing of her own"


def test_it_says_who_and_why_and_leads_there(day, staff, superuser):
    found = entries(client_of(superuser))
    assert "support@staff.example asks to read ada@example.com (T-117), since " in lines(found[ASKED])
    assert "jonas@example.com: begins " in lines(found[DUE])
    assert "ada@example.com: 90% of the 20 memories" in lines(found[FULL])
    assert "Make a requested export: 1. The database was not there for a job" in lines(found[FAILED])
    assert "The model service gave no answer. The next is tried " in lines(found[UNBUILT])
    assert "The oldest that was imported waits for 2 h" in lines(found[UNFOUND])
    assert "no worker is running" in lines(found[STOPPED])
    assert "1 from 127.0.0.1" in lines(found[REFUSED])
    client = client_of(superuser)
    for entry in found.values():
        for url in (entry.url, *(line.url for line in entry.lines)):
            answer = client.get(url) if url else None
            assert answer is None or answer.status_code == 200, url
    assert found[FULL].lines[0].url == reverse("admin:accounts_user_change", args=[day])


def test_who_asked_sees_it_wait_and_does_not_decide(day, staff, settings):
    own = entries(client_of(staff["support"]))
    assert "ada@example.com: waits for an approver since " in lines(own[OWN])
    settings.GRANTS_ALLOW_SELF_APPROVAL = False
    asking = Actor.staff(staff["approver"].pk, Origin())
    with pytest.raises(grants.Refused):
        grants.request_access(user_id=day, actor=asking, reason="r", ticket="t", duration=timedelta(hours=1))
    assert ASKED not in own


def test_a_quiet_day_says_so(staff, ada):
    for role in ("support", "approver", "auditor"):
        answer = client_of(staff[role]).get(reverse("admin:index"))
        assert answer.context["work"] == []
        assert "Nothing waits for you." in answer.content.decode()


def test_what_is_not_yet_urgent_is_not_shown(staff, ada, tell, settings):
    """A message that waits for a second, a person with half of the limit, an erasure in a month, a fresh job."""
    settings.STORAGE_LIMIT_MEMORIES, settings.ERASURE_GRACE_DAYS = "off/20", 30
    tell(ada, "first", [("Ada", "I moved.")])
    request_erasure(user_id=ada, actor=TESTER)
    assert set(entries(client_of(staff["support"]))) == set()
    assert UNFOUND not in entries(client_of(staff["engineer"]))
    with as_system():
        assert PendingMemory.objects.exists(), "the control: there is one"


def test_without_limits_nobody_is_near_one(day, staff, settings):
    settings.STORAGE_LIMIT_MEMORIES = settings.STORAGE_LIMIT_MIB = "off"
    assert FULL not in entries(client_of(staff["support"]))


def test_everything_is_read_in_one_round_trip_more(day, superuser, sent):
    client = client_of(superuser)
    client.get(reverse("admin:index"))
    sent.clear()
    with CaptureQueriesContext(connection) as statements:
        client.get(reverse("admin:index"))
    assert len(statements) <= 15
    assert sum("access_grants g" in str(text) for text in sent) == 1
    assert len([text for text in sent if "pending_memories" in str(text)]) == 1


def test_charts_of_content_reads_and_tokens(ada, superuser):
    client = client_of(superuser)

    def chart(title: str) -> Any:
        return next(each for each in client.get(reverse("admin:index")).context["charts"] if title in each["title"])

    assert chart("Pages of content")["empty"]
    assert chart("Tokens")["empty"]
    with as_user(ada):
        TokenUse.objects.create(user_id=ada, day=timezone.now().date(), tokens=1234)
    client.get(reverse("admin:person_content", args=[ada]))  # refused: not counted
    assert chart("Pages of content")["empty"]
    actor = Actor.staff(superuser.pk, Origin())
    grants.request_access(user_id=ada, actor=actor, reason="r", ticket="t", duration=timedelta(hours=1))
    with unprotected("access_grants") as cursor:
        cursor.execute(
            "UPDATE access_grants SET approved = true, decided_at = now(), decided_by = gen_random_uuid(), "
            "expires_at = now() + interval '1 hour'"
        )
    assert client.get(reverse("admin:person_content", args=[ada])).status_code == 200
    assert "1234" in chart("Tokens")["data"]
    assert not chart("Pages of content")["empty"]


def charts(client: Client) -> dict[str, Any]:
    return {each["title"]: each for each in client.get(reverse("admin:index")).context["charts"]}


def bars(chart: Any) -> dict[str, int]:
    data = json.loads(chart["data"])
    return dict(zip(data["labels"], data["datasets"][0]["data"], strict=True))


def say(user_id: UUID) -> None:
    """Add one memory, which is indexed at once."""
    begun = create_conversation(user_id=user_id, title="Moving", actor=TESTER).row.pk
    said = [NewMemory(Payload("Ada", "I moved to Lisbon."))]
    add_memories(user_id=user_id, conversation_id=begun, memories=said, actor=TESTER)


def test_the_chart_of_searches_that_found_nothing_counts_no_other(ada, superuser):
    client, title = client_of(superuser), "Searches that found nothing, last 30 days"
    say(ada)
    search_memories(user_id=ada, question="Where did I move?", actor=TESTER)
    assert charts(client)[title]["empty"], "it found something"
    nobody = ensure_person(profile=Profile("silent", "silent@example.com", "Silent"), actor=TESTER)
    search_memories(user_id=nobody, question="Where did I move?", actor=TESTER)
    search_stories(user_id=nobody, question="Where did I move?", actor=TESTER)
    shown = bars(charts(client)[title])
    assert sum(shown.values()) == list(shown.values())[-1] == 2


def test_an_index_leads_to_searches_that_found_nothing(db):
    with as_support(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN (VERBOSE) {FRUITLESS}", [timezone.now()])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute(
            "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
            "WHERE inhparent = 'audit_logs_fruitless'::regclass"
        )
        partitions = [name for (name,) in cursor.fetchall()]
    assert any(name in plan for name in partitions), plan


def test_the_chart_from_added_to_found_counts_passages_by_their_wait(ada, superuser):
    client, title = client_of(superuser), "From added to found within, the newest 1,000 passages"
    assert charts(client)[title]["empty"]
    say(ada)
    assert sum(bars(charts(client)[title]).values()) == 1
    with unprotected("passages") as cursor:
        cursor.execute("UPDATE passages SET id = %s", [first_uuid7_at(timezone.now() + timedelta(minutes=5))])
    shown = bars(charts(client)[title])
    assert (shown["1 second"], shown["10 minutes"]) == (0, 1)


def test_the_chart_of_queues_gives_the_age_of_the_oldest_job_that_is_due(superuser):
    client, title = client_of(superuser), "Age of the oldest job that is due, in seconds, now"
    assert charts(client)[title]["empty"]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) VALUES "
            "('waited', 'accounts.export', '{}', 'todo', now() - interval '90 seconds'), "
            "('stories', 'stories.build', '{}', 'todo', now() + interval '1 hour')"
        )
    shown = bars(charts(client)[title])
    assert 90 <= shown.pop("waited") < 130
    assert not any(shown.values()), "one that is not due does not wait"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (work_list.WAITING_GRANTS, "access_grants_waiting"),
        (work_list.ERASURES, "erasures_to_do"),
        (work_list.UNBUILT, "stories_due"),
        (work_list.UNINDEXED, "pending_memories_oldest"),
    ],
)
def test_an_index_leads_to_each_entry(db, superuser, statement, index):
    values = {
        "access_grants_waiting": [False, superuser.pk, 5],
        "erasures_to_do": [timezone.now(), 5],
        "stories_due": [10, 5],
        "pending_memories_oldest": [10],
    }[index]
    with as_support(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {statement}", values)
        assert index in "\n".join(row[0] for row in cursor.fetchall())
