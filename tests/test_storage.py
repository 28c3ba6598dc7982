"""How much of a person is stored is counted and limited, a day and in all, and no change waits for the count."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts.keys.services.data_keys import open_vault
from accounts.people.services.people import Profile, ensure_person
from memories import storage
from memories.models import Conversation, Memory, StorageCount
from memories.payload import Payload
from memories.services.adding import NewMemory, add_memories
from memories.services.changing import change_memory, delete_memory
from memories.services.conversations import change_conversation, create_conversation, delete_conversation
from memories.services.forgetting import delete_expired, forget_range
from memories.storage import CONVERSATIONS_OF, MEMORIES_OF, StorageDayFull, StorageFull, StorageLimit, storage_refused
from stories.building import sources
from stories.building.corrections import Changes
from stories.corrections.services.correcting import correct_story
from stories.models import Story
from tests.api.conftest import Api, at_once
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from vibe.core.crypto.seal import KEY_BYTES, Address
from vibe.core.crypto.vault import Vault, stored_size
from vibe.core.db.scopes import as_user
from vibe.core.errors import ConfigurationError
from vibe.metrics.attaching import attach

SAID = {"author": "Ada", "text": "I moved to Lisbon."}
LONG = "How the boxes, the cat and I came to the new flat. " * 400


def conversation_of(user_id: UUID, **texts: Any) -> UUID:
    return create_conversation(user_id=user_id, actor=TESTER, **texts).row.pk


def say(user_id: UUID, conversation_id: UUID, *texts: str, **what: Any) -> list[UUID]:
    said = [NewMemory(Payload("Ada", text), **what) for text in texts]
    kept = add_memories(user_id=user_id, conversation_id=conversation_id, memories=said, actor=TESTER)
    return [each.row.pk for each in kept]


def counted(user_id: UUID) -> tuple[int, int]:
    with as_user(user_id):
        rows = StorageCount.objects.of(user_id).values_list("memories", "bytes")
        return sum(each for each, _ in rows), sum(each for _, each in rows)


def stored(user_id: UUID) -> tuple[int, int]:
    with as_user(user_id), connection.cursor() as cursor:
        cursor.execute(f"{MEMORIES_OF} UNION ALL {CONVERSATIONS_OF}", [user_id, user_id])
        rows = cursor.fetchall()
    return sum(each for each, _ in rows), sum(each for _, each in rows)


def count_nothing_before(user_id: UUID) -> None:
    """As before anything was counted."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; ALTER TABLE storage_counts NO FORCE ROW LEVEL SECURITY")
        cursor.execute("DELETE FROM storage_counts WHERE user_id = %s", [user_id])
        cursor.execute("ALTER TABLE storage_counts FORCE ROW LEVEL SECURITY")


@pytest.mark.django_db
def test_what_is_counted_is_what_is_stored(ada: UUID) -> None:
    here = conversation_of(ada, title="Moving", description=LONG)
    gone = conversation_of(ada, title="Notes")
    first, second = say(ada, here, "I moved.", LONG)
    say(ada, gone, *["So it goes."] * 12)
    assert counted(ada) == stored(ada)
    change_memory(user_id=ada, memory_id=first, actor=TESTER, text=LONG)
    change_conversation(user_id=ada, conversation_id=here, actor=TESTER, texts={"description": None, "title": LONG})
    assert counted(ada) == stored(ada)
    before = counted(ada)
    delete_memory(user_id=ada, memory_id=second, actor=TESTER)
    delete_conversation(user_id=ada, conversation_id=gone, actor=TESTER)
    assert counted(ada) == stored(ada)
    assert counted(ada)[0] == before[0] - 13
    assert counted(ada)[1] < before[1]


@pytest.mark.django_db
def test_what_was_said_in_a_time_and_is_forgotten_is_given_back(ada: UUID) -> None:
    here = conversation_of(ada)
    say(ada, here, "In the garden.", LONG, occurred_at=DAY)
    say(ada, here, "For good.")
    assert len(forget_range(user_id=ada, actor=TESTER, until=DAY).ids) == 2
    assert counted(ada) == stored(ada)
    assert counted(ada)[0] == 1


@pytest.mark.django_db
def test_what_expired_is_given_back(ada: UUID) -> None:
    here = conversation_of(ada)
    soon = timezone.now() + timedelta(hours=1)
    say(ada, here, "A locker code.", "Another.", expires_at=soon)
    say(ada, here, "For good.")
    with as_user(ada):
        Memory.objects.of(ada).filter(expires_at=soon).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert delete_expired(actor=TESTER) == 2
    assert counted(ada) == stored(ada)


@pytest.mark.django_db
@pytest.mark.parametrize("first", ["add", "change", "delete"])
def test_what_was_stored_before_anything_was_counted_counts(ada: UUID, first: str) -> None:
    here = conversation_of(ada, title="Moving")
    memory, _ = say(ada, here, "I moved.", "To Lisbon.")
    count_nothing_before(ada)
    if first == "change":
        change_memory(user_id=ada, memory_id=memory, actor=TESTER, text=LONG)
    if first == "delete":
        delete_memory(user_id=ada, memory_id=memory, actor=TESTER)
    say(ada, here, "And stayed.")
    assert counted(ada) == stored(ada)


def test_a_size_is_known_before_it_is_sealed() -> None:
    vault = Vault(UUID(int=1), {1: bytes(KEY_BYTES)})
    for text in ("", "a", "é" * 200, "x" * 255, "x" * 256, LONG, LONG * 60):
        sealed = vault.seal(text, Address("t", "c", UUID(int=1), UUID(int=2)))
        assert len(sealed.ciphertext) == stored_size(text)


@pytest.mark.django_db
def test_a_day_is_limited_with_429_and_so_is_a_batch(ada: UUID, jonas: UUID, settings: Any) -> None:
    as_ada, as_jonas = Api("ada"), Api("jonas")
    here = as_ada.post("/conversations", {}).json()["id"]
    settings.STORAGE_LIMIT_MEMORIES = "3/off"
    refused: list[str] = []
    storage_refused.connect(lambda limit, **_: refused.append(limit), weak=False, dispatch_uid="test")
    try:
        assert as_ada.post(f"/conversations/{here}/memories/batch", {"memories": [SAID] * 3}).status_code == 201
        answer = as_ada.post(f"/conversations/{here}/memories", SAID)
    finally:
        storage_refused.disconnect(dispatch_uid="test")
    assert (answer.status_code, answer.json()["code"]) == (429, "storage-day-full")
    assert 0 < int(answer["Retry-After"]) <= 24 * 3600 + 1
    assert "STORAGE_LIMIT_MEMORIES" in answer.json()["detail"]
    assert refused == ["memories_a_day"]
    there = as_jonas.post("/conversations", {}).json()["id"]
    assert as_jonas.post(f"/conversations/{there}/memories", SAID).status_code == 201, "another's limit is untouched"
    deleted = as_ada.get(f"/conversations/{here}/memories").json()["items"][0]["id"]
    assert as_ada.delete(f"/memories/{deleted}").status_code == 204
    assert as_ada.post(f"/conversations/{here}/memories", SAID).status_code == 429, "the day gives nothing back"
    settings.STORAGE_LIMIT_MEMORIES = "off"
    assert as_ada.post(f"/conversations/{here}/memories", SAID).status_code == 201, "the control: without the limit"


@pytest.mark.django_db
def test_all_is_limited_with_413_and_deleting_gives_back(ada: UUID, settings: Any) -> None:
    as_ada = Api("ada")
    here = as_ada.post("/conversations", {}).json()["id"]
    settings.STORAGE_LIMIT_MEMORIES = "off/2"
    batch = f"/conversations/{here}/memories/batch"
    assert as_ada.post(batch, {"memories": [SAID] * 3}).json()["code"] == "storage-full"
    added = as_ada.post(batch, {"memories": [SAID] * 2}).json()["items"]
    answer = as_ada.post(f"/conversations/{here}/memories", SAID)
    assert (answer.status_code, answer.json()["code"]) == (413, "storage-full")
    assert as_ada.patch(f"/memories/{added[0]['id']}", {"text": "I moved to Porto."}).status_code == 200
    assert as_ada.delete(f"/memories/{added[0]['id']}").status_code == 204
    assert as_ada.post(f"/conversations/{here}/memories", SAID).status_code == 201
    assert stored(ada)[0] == 2


@pytest.mark.django_db
def test_bytes_are_limited_of_memories_conversations_and_corrections(ada: UUID, settings: Any) -> None:
    here = conversation_of(ada, title="Moving")
    [memory] = say(ada, here, "I moved to Lisbon with Bruno.")
    build_conversation(ada, here)
    with as_user(ada):
        story = Story.objects.of(ada).get().pk
    large = "How it was. " * 60_000  # 703 KiB
    settings.STORAGE_LIMIT_MIB = "off/1"
    say(ada, here, large)
    for more in (
        lambda: say(ada, here, large),
        lambda: change_memory(user_id=ada, memory_id=memory, actor=TESTER, text=large),
        lambda: conversation_of(ada, description=large),
        lambda: change_conversation(user_id=ada, conversation_id=here, actor=TESTER, texts={"title": large}),
    ):
        with pytest.raises(StorageFull, match="1 MiB in all"), transaction.atomic():
            more()
    settings.STORAGE_LIMIT_MIB = "1/off"
    correct_story(user_id=ada, story_id=story, changes=Changes(text="How it was. " * 8_000), actor=TESTER)
    with pytest.raises(StorageDayFull):
        for _ in range(4):
            correct_story(user_id=ada, story_id=story, changes=Changes(text="How it went. " * 7_600), actor=TESTER)
    with pytest.raises(StorageFull, match="too much at once"):
        say(ada, here, large, large)


@pytest.mark.django_db
def test_empty_conversations_are_limited_too(ada: UUID, settings: Any) -> None:
    settings.STORAGE_LIMIT_MIB = "1/off"
    for _ in range(3):
        conversation_of(ada)
    assert counted(ada) == (0, 3 * 256)


def lines_of(path: Path, *messages: int) -> Path:
    """A file with a conversation of so many messages in each line."""
    lines = [
        {
            "user": {"firebase_uid": "ada"},
            "conversation": {"id": f"c{number}"},
            "messages": [
                {"id": f"{number}-{each}", "author": "Ada", "text": "I moved.", "sent_at": "2026-01-01T00:00:00Z"}
                for each in range(count)
            ],
        }
        for number, count in enumerate(messages)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.mark.parametrize("strict", [False, True])
def test_an_import_says_what_was_too_much_and_writes_nothing_by_halves(
    committed: None, settings: Any, tmp_path: Path, strict: bool
) -> None:
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    settings.STORAGE_LIMIT_MEMORIES = "3/off"
    errors = io.StringIO()
    file = str(lines_of(tmp_path / "some.jsonl", 2, 2, 1))
    with pytest.raises(CommandError) as refused:
        call_command("import_conversations", file, strict=strict, stderr=errors, stdout=io.StringIO())
    said = f"{errors.getvalue()}{refused.value}"
    assert "STORAGE_LIMIT_MEMORIES" in said
    assert "Line 2" in said or "line 2" in said
    assert stored(ada)[0] == counted(ada)[0] == (0 if strict else 3)
    with as_user(ada):
        kept = Conversation.objects.of(ada).order_by("external_id").values_list("external_id", "memory_count")
        assert list(kept) == ([] if strict else [("c0", 2), ("c2", 1)])
    settings.STORAGE_LIMIT_MEMORIES = "off"
    call_command("import_conversations", file, strict=strict, stderr=errors, stdout=io.StringIO())
    assert stored(ada)[0] == counted(ada)[0] == 5, "the control: without the limit"
    assert counted(ada) == stored(ada)


@contextmanager
def adding_elsewhere(user_id: UUID) -> Iterator[None]:
    """A transaction of the person's in another connection that has added, and not ended yet."""
    [where] = at_once(lambda _: conversation_of(user_id), 1)
    added, end = threading.Event(), threading.Event()

    def add() -> None:
        try:
            with transaction.atomic():
                say(user_id, where, "Elsewhere.")
                added.set()
                end.wait(30)
        finally:
            added.set()
            connection.close()

    thread = threading.Thread(target=add)
    thread.start()
    added.wait(30)
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_no_add_waits_for_the_count_of_another(committed: None) -> None:
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    here = conversation_of(ada)
    say(ada, here, "Before.")  # what is made once for a person, such as the name of a speaker, is there
    with adding_elsewhere(ada):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            say(ada, here, "Meanwhile.")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            assert cursor.fetchone() == (0,)
    assert counted(ada) == stored(ada)


def test_the_control_with_a_row_that_is_waited_for_an_add_waits(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "COUNT", storage.COUNT.replace("SKIP LOCKED", ""))
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    here = conversation_of(ada)
    say(ada, here, "Before.")
    with (
        adding_elsewhere(ada),
        pytest.raises(OperationalError, match="lock timeout"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        say(ada, here, "Meanwhile.")


def test_rows_are_as_many_as_ran_at_once_and_the_sum_is_right(committed: None) -> None:
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    places = [conversation_of(ada) for _ in range(6)]

    def talk(number: int) -> None:
        for turn in range(12):
            [memory] = say(ada, places[number], f"Turn {turn}.")
            if turn % 3 == 0:
                delete_memory(user_id=ada, memory_id=memory, actor=TESTER)

    at_once(talk, 6)
    assert counted(ada) == stored(ada)
    assert stored(ada)[0] == 6 * 8
    with as_user(ada):
        assert StorageCount.objects.of(ada).count() <= 7


@pytest.mark.django_db
def test_a_story_is_made_of_so_much_at_most(ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    here = conversation_of(ada, started_at=DAY)
    say(ada, here, *["In the garden."] * 20, occurred_at=DAY)
    build_conversation(ada, here)
    with as_user(ada):
        story = Story.objects.of(ada).get()
    for most, size, read_of_it in ((400, 4 * storage.MIB, 20), (7, 4 * storage.MIB, 7), (400, 4 * 287, 4), (400, 1, 1)):
        monkeypatch.setattr(sources, "MOST_MEMORIES", most)
        monkeypatch.setattr(sources, "MOST_BYTES", size)
        with as_user(ada):
            source = sources.read(ada, story, open_vault())
        assert source is not None
        assert (len(source.memories), len(source.revisions)) == (read_of_it, 20)


@pytest.mark.django_db
def test_refusals_are_a_metric(ada: UUID, settings: Any) -> None:
    attach()
    settings.STORAGE_LIMIT_MEMORIES = "off/1"
    here = conversation_of(ada)

    def refusals() -> float:
        return REGISTRY.get_sample_value("vibe_storage_refused_total", {"limit": "memories_in_all"}) or 0

    before = refusals()
    say(ada, here, "One.")
    with pytest.raises(StorageFull):
        say(ada, here, "Two.")
    assert refusals() == before + 1


@pytest.mark.parametrize("wrong", ["", "100", "0/5", "5/0", "-1/5", "a/b", "1/2/3", "off/x"])
def test_a_wrong_limit_is_named(settings: Any, wrong: str) -> None:
    settings.STORAGE_LIMIT_MEMORIES = settings.STORAGE_LIMIT_MIB
    with pytest.raises(ConfigurationError, match="STORAGE_LIMIT_MEMORIES"):
        settings.STORAGE_LIMIT_MEMORIES = wrong
        StorageLimit.parse("STORAGE_LIMIT_MEMORIES", "memories")
