"""An expired memory is read by nobody from its moment on, and the system deletes it."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone
from psycopg import sql

import memories.models
from accounts.keys.services.data_keys import destroy_data_keys
from audit.errors import RowPutBack
from audit.models import AuditLog
from audit.proof.freshness import require_fresh
from memories import tasks
from memories.models import Conversation, Memory, MemoryQuerySet
from memories.payload import Payload
from memories.services import forgetting
from memories.services.adding import MessageIdTaken, NewMemory, add_memories
from memories.services.conversations import create_conversation
from memories.services.forgetting import ExpiryFailed, delete_expired
from stories.building.services.lineage import check_lineage
from stories.models import SEARCHED, Passage, PendingMemory, Story
from stories.search import candidates
from stories.search.services import search_stories
from tests.api.conftest import Api
from tests.building import build_conversation, index_all
from tests.cast import DAY, TESTER
from tests.processes import manage
from tests.protections import unprotected
from vibe.core.db.schema import owned
from vibe.core.db.scopes import as_system, as_user

SECRET = "My locker code is 4711."
pytestmark = pytest.mark.django_db


@pytest.fixture
def as_ada(ada) -> Api:
    return Api("ada")


@pytest.fixture
def talk(ada):
    """A conversation in which one thing was said for good, and others until an hour from now."""
    conversation_id = create_conversation(user_id=ada, actor=TESTER, started_at=DAY - timedelta(days=1)).row.pk

    def say(text, number, **what):
        return NewMemory(Payload("Ada", text), DAY + timedelta(minutes=number), f"m{number}", **what)

    soon = timezone.now() + timedelta(hours=1)
    said = [say("I moved to Lisbon.", 1), say(SECRET, 2, expires_at=soon), say("Bye.", 3, expires_at=soon)]
    kept = add_memories(user_id=ada, conversation_id=conversation_id, memories=said, actor=TESTER)
    build_conversation(ada, conversation_id)
    return conversation_id, [each.row.pk for each in kept]


def let_expire(user_id, *ids):
    """What the clock does."""
    now = timezone.now()
    with as_user(user_id):
        assert Memory.objects.of(user_id).filter(pk__in=ids).update(expires_at=now) == len(ids)
        assert Passage.objects.of(user_id).filter(memory_id__in=ids).update(expires_at=now) == len(ids)


def found(user_id):
    answer = search_stories(user_id=user_id, question="What is my locker code?", actor=TESTER)
    return [passage.text for story in answer.stories for passage in story.passages]


def seen(api, user_id, conversation_id, ids):
    """Which of the memories each reader shows."""
    listed = {each["id"] for each in api.get(f"/conversations/{conversation_id}/memories").json()["items"]}
    return {
        "list": [str(pk) in listed for pk in ids],
        "get": [api.get(f"/memories/{pk}").status_code == 200 for pk in ids],
        "change": [api.patch(f"/memories/{pk}", {"role": "user"}).status_code == 200 for pk in ids],
        "search": [SECRET in found(user_id)],
    }


def test_nobody_reads_it_from_its_moment_on(ada, as_ada, talk):
    conversation_id, ids = talk
    everything = {"list": [True] * 3, "get": [True] * 3, "change": [True] * 3, "search": [True]}
    assert seen(as_ada, ada, conversation_id, ids) == everything
    let_expire(ada, ids[1])
    mine = [True, False, True]
    assert seen(as_ada, ada, conversation_id, ids) == {"list": mine, "get": mine, "change": mine, "search": [False]}
    assert as_ada.delete(f"/memories/{ids[1]}").status_code == 404


def test_without_the_condition_it_is_read(ada, as_ada, talk, monkeypatch):
    """The negative control: what hides it is the one queryset method, and the one SQL condition in search."""
    conversation_id, ids = talk
    let_expire(ada, ids[1])
    monkeypatch.setattr(MemoryQuerySet, "of", lambda rows, user_id: rows.filter(Q(user_id=user_id)))
    monkeypatch.setattr(owned, "select_statement", owned.select_statement.__wrapped__)  # not the one it has cached
    assert seen(as_ada, ada, conversation_id, ids)["list"] == [True] * 3
    assert seen(as_ada, ada, conversation_id, ids)["get"] == [True] * 3
    every = candidates.EVERY.as_string(None)
    assert SEARCHED in every
    monkeypatch.setattr(candidates, "EVERY", sql.SQL(every.replace(SEARCHED, "true")))
    assert SECRET in found(ada)


def test_a_story_of_expired_memories_alone_is_not_found(ada, talk):
    _, ids = talk
    assert found(ada)
    let_expire(ada, *ids[1:])
    assert found(ada) == ["I moved to Lisbon."]
    let_expire(ada, ids[0])
    assert found(ada) == []


def test_a_message_id_is_free_again(ada, talk):
    conversation_id, ids = talk
    again = [NewMemory(Payload("Ada", "Again."), message_id="m2")]
    with pytest.raises(MessageIdTaken):
        add_memories(user_id=ada, conversation_id=conversation_id, memories=again, actor=TESTER)
    let_expire(ada, ids[1])
    add_memories(user_id=ada, conversation_id=conversation_id, memories=again, actor=TESTER)


def test_the_job_deletes_it_with_all_that_was_made_of_it(ada, jonas, tell, talk):
    tell(jonas, "other", [("Jonas", "I stay.")])
    conversation_id, ids = talk
    let_expire(ada, *ids[1:])
    tasks.delete_expired_memories(0)
    with as_user(ada):
        assert list(Memory.objects.filter(user_id=ada).values_list("pk", flat=True)) == ids[:1]
        conversation = Conversation.objects.of(ada).get()
        assert (conversation.memory_count, conversation.active_at) == (1, DAY + timedelta(minutes=1))
        assert [each.memory_id for each in Passage.objects.of(ada)] == ids[:1]
    assert build_conversation(ada, conversation_id)
    with as_user(ada):
        assert Story.objects.of(ada).get().memory_ids == ids[:1]
    assert check_lineage(user_id=ada, actor=TESTER).faults == []
    with as_user(jonas):
        assert Memory.objects.of(jonas).count() == 1


def test_each_is_in_the_audit_log_as_deleted_by_the_system(ada, talk):
    _, ids = talk
    let_expire(ada, *ids[1:])
    assert delete_expired(actor=TESTER) == 2
    assert delete_expired(actor=TESTER) == 0
    with as_system():
        rows = list(AuditLog.objects.filter(action="memory.delete").order_by("resource"))
    assert [row.resource for row in rows] == sorted(f"memories/{pk}" for pk in ids[1:])
    assert {(row.actor_kind, row.subject, row.outcome, row.details["reason"]) for row in rows} == {
        ("system", ada, "ok", "expired")
    }


def test_one_that_is_put_back_is_known(ada, talk):
    _, ids = talk
    with unprotected("encrypted_memories") as cursor:
        cursor.execute("CREATE TEMP TABLE kept AS SELECT * FROM encrypted_memories WHERE id = %s", [ids[1]])
    let_expire(ada, ids[1])
    delete_expired(actor=TESTER)
    require_fresh()
    with unprotected("encrypted_memories") as cursor:
        cursor.execute("INSERT INTO encrypted_memories SELECT * FROM kept")
    with pytest.raises(RowPutBack, match=str(ids[1])):
        require_fresh()


def test_one_that_expires_before_it_is_indexed_is_passed_over(ada, talk):
    conversation_id, _ = talk
    soon = timezone.now() + timedelta(hours=1)
    long = [NewMemory(Payload("Ada", "word " * 20_000), expires_at=soon), NewMemory(Payload("Ada", "Short."))]
    kept = add_memories(user_id=ada, conversation_id=conversation_id, memories=long, actor=TESTER)
    with as_user(ada):
        pending = PendingMemory.objects.of(ada)
        assert pending.count() == len(long)
        Memory.objects.of(ada).filter(pk=kept[0].row.pk).update(expires_at=timezone.now())
    assert index_all(ada) == 1
    with as_user(ada):
        assert [each.memory_id for each in pending.all()] == [kept[0].row.pk]


def test_what_was_stored_before_the_retention_goes(ada, talk, settings, monkeypatch):
    """By when it was stored, whenever it was said. Off by default, the control."""
    conversation_id, ids = talk
    time.sleep(0.002)  # an id tells milliseconds
    then = timezone.now()
    new = [NewMemory(Payload("Ada", "Later."), DAY)]
    [later] = add_memories(user_id=ada, conversation_id=conversation_id, memories=new, actor=TESTER)
    monkeypatch.setattr(memories.models, "timezone", SimpleNamespace(now=lambda: then + timedelta(days=30)))
    assert delete_expired(actor=TESTER) == 0
    settings.MEMORY_RETENTION_DAYS = 31
    assert delete_expired(actor=TESTER) == 0
    settings.MEMORY_RETENTION_DAYS = 30
    assert delete_expired(actor=TESTER) == len(ids)
    with as_user(ada):
        assert [each.pk for each in Memory.objects.of(ada)] == [later.row.pk]
    with as_system():
        rows = AuditLog.objects.filter(action="memory.delete")
        assert {(row.resource, row.details["reason"]) for row in rows} == {
            (f"memories/{pk}", "retention") for pk in ids
        }


@pytest.mark.parametrize(
    ("days", "starts"), [("0", True), ("36500", True), ("-1", False), ("36501", False), ("soon", False)]
)
def test_a_retention_that_would_delete_everything_is_refused(days, starts):
    done = manage("check", MEMORY_RETENTION_DAYS=days)
    assert (done.returncode == 0, "MEMORY_RETENTION_DAYS" in done.stderr) == (starts, not starts)


def test_what_is_still_to_come_stays(ada, talk):
    _, ids = talk
    assert delete_expired(actor=TESTER) == 0
    with as_user(ada):
        assert Memory.objects.of(ada).count() == len(ids)


def test_many_go_in_batches(ada, talk, monkeypatch):
    _, ids = talk
    monkeypatch.setattr(forgetting, "BATCH", 2)
    let_expire(ada, *ids)
    assert delete_expired(actor=TESTER) == 3
    with as_user(ada):
        assert not Memory.objects.filter(user_id=ada).exists()
        conversation = Conversation.objects.of(ada).get()
        assert (conversation.memory_count, conversation.active_at) == (0, conversation.started_at)


def test_a_failure_of_one_person_keeps_nobody_elses(ada, jonas, talk, monkeypatch):
    _, ids = talk
    other = create_conversation(user_id=jonas, actor=TESTER).row.pk
    soon = timezone.now() + timedelta(hours=1)
    new = [NewMemory(Payload("Jonas", "Hello."), expires_at=soon)]
    [kept] = add_memories(user_id=jonas, conversation_id=other, memories=new, actor=TESTER)
    let_expire(ada, ids[1])
    let_expire(jonas, kept.row.pk)
    works = forgetting._delete_batch

    def fails(user_id, actor):
        if user_id == ada:
            raise DatabaseError
        return works(user_id, actor)

    monkeypatch.setattr(forgetting, "_delete_batch", fails)
    with pytest.raises(ExpiryFailed, match=str(ada)):
        delete_expired(actor=TESTER)
    with as_user(jonas):
        assert not Memory.objects.filter(user_id=jonas).exists()


def test_deletion_needs_no_key(ada, talk):
    _, ids = talk
    let_expire(ada, ids[1])
    destroy_data_keys(user_id=ada, actor=TESTER)
    assert delete_expired(actor=TESTER) == 1


def test_a_memory_is_either_there_or_expired(ada, talk):
    _, ids = talk
    let_expire(ada, ids[1])
    with as_user(ada):
        there = set(Memory.objects.of(ada).values_list("pk", flat=True))
        expired = set(Memory.objects.filter(user_id=ada).expired().values_list("pk", flat=True))
    assert (there, expired) == ({ids[0], ids[2]}, {ids[1]})
