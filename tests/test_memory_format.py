"""A memory's role, metadata, offset and expiry, from the verbs to the rows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.keys.services.data_keys import open_vault
from audit.models import AuditLog
from memories.models import Memory
from memories.payload import Payload
from memories.reading import memory
from memories.roles import Role
from memories.services.adding import ExpiryPast, NewMemory, NothingSaid, add_memories
from memories.services.changing import change_memory
from memories.services.conversations import create_conversation
from stories.models import Passage, Story
from stories.sealed_story import open_draft
from stories.search.services import search_memories
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from vibe.core.db.scopes import as_system, as_user

PICTURE = {"mime": "image/png", "width": 640, "shared": True}


@pytest.fixture
def conversation(ada):
    return create_conversation(user_id=ada, actor=TESTER, started_at=DAY).row.pk


@pytest.fixture
def add(ada, conversation):
    def add(*new):
        return add_memories(user_id=ada, conversation_id=conversation, memories=new, actor=TESTER)

    return add


@pytest.fixture
def change(ada):
    return lambda kept, **what: change_memory(user_id=ada, memory_id=kept.row.pk, actor=TESTER, **what)


def opened(user_id, kept):
    with as_user(user_id):
        found = memory(user_id, kept.row.pk)
    assert (found.payload, found.row.role) == (kept.payload, kept.row.role), "what a verb returns is what was kept"
    return found


def said(author, **what):
    return NewMemory(Payload(author, "Something."), **what)


def test_a_role_is_what_is_given_or_else_told_by_the_author(ada, add):
    kept = add(said("Ada"), said("Nova"), said("Nova", role=Role.ASSISTANT), said("user", role=Role.OTHER), said("bot"))
    assert [opened(ada, each).row.role for each in kept] == ["user", "other", "assistant", "other", "assistant"]


def test_a_name_is_read_only_where_a_role_is_missing(ada, add, monkeypatch):
    monkeypatch.setattr("memories.services.adding.name_in", lambda _: pytest.fail("read"))
    add(said("Ada", role=Role.USER))
    with pytest.raises(pytest.fail.Exception, match="read"):
        add(said("Ada", role=Role.USER), said("Ada"))


def test_without_a_name_nobody_is_taken_for_the_person(person):
    nameless = person("nameless")
    conversation = create_conversation(user_id=nameless, actor=TESTER).row.pk
    kept = add_memories(user_id=nameless, conversation_id=conversation, memories=[said("Ada")], actor=TESTER)
    assert opened(nameless, kept[0]).row.role == "other"


def test_a_told_role_follows_its_author_and_a_given_one_stays(ada, add, change):
    told, given = add(said("Nova"), said("Nova", role=Role.ASSISTANT))
    assert opened(ada, change(told, author="Ada")).row.role == "user"
    assert opened(ada, change(told, author="bot")).row.role == "assistant"
    assert opened(ada, change(told, author="bot", text="Else.")).row.role == "assistant"
    assert opened(ada, change(given, author="Ada")).row.role == "assistant"
    assert opened(ada, change(given, role=Role.TOOL)).row.role == "tool"


def test_a_role_is_one_of_five(ada, add):
    [kept] = add(said("Ada"))
    with as_user(ada), pytest.raises(IntegrityError, match="memories_role"), transaction.atomic():
        Memory.objects.of(ada).filter(pk=kept.row.pk).update(role="admin")


def test_a_change_of_the_role_is_a_change_of_what_a_story_is_made_of(ada, conversation, add, change):
    [kept] = add(said("Ada"))
    build_conversation(ada, conversation)
    change(kept, role=Role.OTHER)
    assert build_conversation(ada, conversation), "there is something to build again"


def test_metadata_is_kept_replaced_whole_and_taken_away(ada, add, change):
    [kept] = add(NewMemory(Payload("Ada", "Look!", PICTURE, 120)))
    assert opened(ada, kept).payload == Payload("Ada", "Look!", PICTURE, 120)
    assert opened(ada, change(kept, text="Look here!")).payload == Payload("Ada", "Look here!", PICTURE, 120)
    assert opened(ada, change(kept, metadata={"mood": "glad"})).payload.metadata == {"mood": "glad"}
    assert opened(ada, change(kept, metadata={})).payload == Payload("Ada", "Look here!", {}, 120)


def test_one_and_true_are_not_the_same_metadata(ada, add, change):
    [kept] = add(NewMemory(Payload("Ada", "Look!", {"shared": 1})))
    assert opened(ada, change(kept, metadata={"shared": True})).payload.metadata["shared"] is True


def test_a_memory_says_something(ada, add, change):
    with pytest.raises(NothingSaid):
        add(said("Ada"), NewMemory(Payload("Ada", "")))
    picture, text = add(NewMemory(Payload("Ada", "", PICTURE)), said("Ada"))
    assert opened(ada, picture).payload == Payload("Ada", "", PICTURE)
    for nothing in ({"metadata": {}}, {"text": "", "metadata": {}}):
        with pytest.raises(NothingSaid):
            change(picture, **nothing)
    with pytest.raises(NothingSaid):
        change(text, text="")
    assert opened(ada, change(text, text="", metadata=PICTURE)).payload == Payload("Ada", "", PICTURE)


def test_the_offset_goes_with_the_time(ada, add, change):
    [kept] = add(NewMemory(Payload("Ada", "Hello.", utc_offset=120), occurred_at=DAY))
    moved = change(kept, occurred_at=datetime.fromisoformat("2026-05-12T09:00:00-03:00"))
    assert opened(ada, moved).payload.utc_offset == -180
    assert moved.row.occurred_at.isoformat() == "2026-05-12T12:00:00+00:00"
    assert opened(ada, change(kept, occurred_at=DAY)).payload.utc_offset is None


def test_metadata_and_offset_are_sealed(ada, add):
    add(NewMemory(Payload("Ada", "Hello.", {"canary-key": "canary-value"}, 120)))
    with as_user(ada), connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(m) FROM encrypted_memories m")
        [(row,)] = cursor.fetchall()
    columns = row if isinstance(row, dict) else json.loads(row)
    stored = str(columns) + bytes.fromhex(columns["payload"].removeprefix("\\x")).decode("latin-1")
    assert "user" in stored, "the control: what is in clear is seen"
    assert not [each for each in ("canary", "Hello") if each in stored]
    assert 120 not in columns.values(), "no column holds the offset"
    assert columns["occurred_at"].endswith("+00:00")


def test_an_expiry_is_kept_changed_and_taken_away(ada, add, change):
    soon = timezone.now() + timedelta(hours=1)
    [kept] = add(said("Ada", expires_at=soon))
    revision = kept.row.revision
    assert opened(ada, kept).row.expires_at == soon
    assert change(kept, text="Else.").row.expires_at == soon
    changed = change(kept, expires_at=soon + timedelta(hours=1))
    assert (opened(ada, changed).row.expires_at, changed.row.revision) == (soon + timedelta(hours=1), revision + 1)
    assert opened(ada, change(kept, expires_at=None)).row.expires_at is None


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=1)])
def test_an_expiry_that_is_past_is_refused(add, change, ago):
    with pytest.raises(ExpiryPast):
        add(said("Ada", expires_at=timezone.now() - ago))
    [kept] = add(said("Ada"))
    with pytest.raises(ExpiryPast):
        change(kept, expires_at=timezone.now() - ago)


def test_the_audit_log_names_fields_and_no_value(add, change):
    [kept] = add(said("Ada"))
    change(kept, metadata={"canary": "canary"}, role=Role.TOOL, expires_at=timezone.now() + timedelta(days=1))
    with as_system():
        row = AuditLog.objects.get(action="memory.change")
    assert row.details["fields"] == ["expires_at", "metadata", "role"]
    assert "canary" not in str(row.details)


def searched(user_id):
    """The memories of the passages that have words, and what the one story says."""
    with as_user(user_id):
        passages = Passage.objects.of(user_id).filter(length__gt=0)
        story = Story.objects.of(user_id).get()
        return [each.memory_id for each in passages], open_draft(story, open_vault()).text


def test_a_story_is_told_around_a_picture_and_says_nothing_of_pictures_alone(ada, conversation, add, change):
    text = NewMemory(Payload("Ada", "I moved to Lisbon."), occurred_at=DAY)
    pictures = [NewMemory(Payload("Ada", "", PICTURE), occurred_at=DAY + timedelta(minutes=at)) for at in (-1, 1)]
    _, kept, _ = add(pictures[0], text, pictures[1])
    assert build_conversation(ada, conversation)
    passages, said = searched(ada)
    assert passages == [kept.row.pk]
    assert "Lisbon" in said
    change(kept, text="", metadata=PICTURE)
    assert build_conversation(ada, conversation)
    assert searched(ada) == ([], "")
    assert not search_memories(user_id=ada, question="Where is Lisbon?", actor=TESTER).memories
