"""A story is built whole or not at all, is the same when built again, and never says more than its memories do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from accounts.keys.services.data_keys import destroy_data_keys, open_vault
from audit.models import AuditLog
from audit.services import record
from memories.models import Conversation, Memory
from memories.payload import Payload
from stories.building.services import build as services
from stories.building.services.build import StillChanging, build_story
from stories.models import Entity, Passage, SearchSet, Story
from stories.processors.configured import EmbedderFailed
from tests.cast import DAY, TESTER
from tests.stories.conftest import (
    LISBON,
    BrokenEmbedder,
    HashedEmbedder,
    build_all,
    conversation_of,
    memory_saying,
    state_of,
)
from vibe.core.crypto.errors import DataKeyMissing
from vibe.core.crypto.fields import address_of
from vibe.core.db.scopes import as_support, as_user


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


def opened(user_id: UUID, column: str) -> str:
    with as_user(user_id):
        story = Story.objects.of(user_id).get(conversation_id=conversation_of(user_id, "lisbon"))
        return open_vault().open(getattr(story, column), address_of(story, column))


def change(memory: Memory, text: str) -> None:
    """What a verb that changes a memory does: its payload under its next revision, and the others told of it."""
    from memories.signals import conversations_changed

    with as_user(memory.user_id):
        memory.revision += 1
        memory.payload = open_vault().seal(Payload("Ada", text).encode(), address_of(memory, "payload"))
        memory.save(update_fields=["revision", "payload"])
        record(actor=TESTER, action="memory.change", subject=memory.user_id, resource=f"encrypted_memories/{memory.pk}")
        conversations_changed.send(Conversation, user_id=memory.user_id, conversation_ids=[memory.conversation_id])


def test_a_story_is_sealed_and_tells_of_its_memories(ada_told: UUID) -> None:
    assert "Lisbon" in json.loads(opened(ada_told, "places"))
    assert "Lisbon" in opened(ada_told, "text")
    with as_user(ada_told):
        story = Story.objects.of(ada_told).get(conversation_id=conversation_of(ada_told, "lisbon"))
        memories = set(
            Memory.objects.of(ada_told).filter(conversation_id=story.conversation_id).values_list("pk", flat=True)
        )
        assert set(story.memory_ids) == memories == set(story.passages.values_list("memory_id", flat=True))
        assert (story.passage_count, story.revision) == (3, 1)
        assert story.occurred_from == DAY + timedelta(minutes=1)


def test_building_again_changes_nothing(ada_told: UUID) -> None:
    before = state_of(ada_told)
    assert build_all(ada_told) == 0
    assert state_of(ada_told) == before


def test_two_builders_at_once_build_one_story(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds, when it comes to storing, that the first has stored the same."""
    tell(ada, "lisbon", LISBON)
    conversation = conversation_of(ada, "lisbon")
    alone = services.tell

    def overtaken(*source: object) -> object:
        monkeypatch.setattr(services, "tell", alone)
        assert build_story(user_id=ada, conversation_id=conversation, actor=TESTER)
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "tell", overtaken)
    assert not build_story(user_id=ada, conversation_id=conversation, actor=TESTER)
    with as_user(ada):
        assert Story.objects.of(ada).get().revision == 1


def test_a_memory_added_later_is_told_under_the_same_id(ada_told: UUID, tell: Callable[..., None]) -> None:
    with as_user(ada_told):
        before = Story.objects.of(ada_told).get(conversation_id=conversation_of(ada_told, "lisbon"))
    tell(ada_told, "lisbon", [*LISBON, ("Rui", "I painted the door green.")])
    assert build_all(ada_told) == 1
    with as_user(ada_told):
        after = Story.objects.of(ada_told).get(pk=before.pk)
        assert (after.revision, after.passage_count) == (2, 4)
        assert SearchSet.objects.of(ada_told).get().passages == 7


def test_a_changed_memory_loses_its_passage_at_once_and_is_told_anew(ada_told: UUID) -> None:
    changed = memory_saying(ada_told, 0)
    change(changed, "I moved to Madrid.")
    with as_user(ada_told):
        assert not Passage.objects.of(ada_told).filter(memory_id=changed.pk).exists()
    assert build_all(ada_told) == 1
    with as_user(ada_told):
        assert Passage.objects.of(ada_told).get(memory_id=changed.pk).memory_revision == 2
        assert SearchSet.objects.of(ada_told).get().passages == 6
    assert "Madrid" in json.loads(opened(ada_told, "places"))
    assert "blue door" not in opened(ada_told, "text")


def test_a_memory_that_changes_while_its_story_is_made_is_made_again(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ada, "lisbon", LISBON)
    alone, times = services.tell, []

    def disturbed(*source: object) -> object:
        times.append(1)
        if len(times) == 1:
            change(memory_saying(ada, 0), "I moved to Madrid.")
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "tell", disturbed)
    assert build_all(ada) == 1
    assert len(times) == 2
    assert json.loads(opened(ada, "places")) == ["Madrid"]


def test_one_that_never_rests_is_left_for_later(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ada, "lisbon", LISBON)
    alone = services.tell

    def disturbed(*source: object) -> object:
        change(memory_saying(ada, 0), "I moved again.")
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "tell", disturbed)
    with pytest.raises(StillChanging):
        build_all(ada)
    assert state_of(ada)["stories"] == []


def test_a_deleted_memory_leaves_nothing(ada_told: UUID) -> None:
    gone = memory_saying(ada_told, 0)
    with as_user(ada_told):
        gone.delete()
        assert not Passage.objects.of(ada_told).filter(memory_id=gone.pk).exists()
    assert build_all(ada_told) == 1
    with as_user(ada_told):
        assert not Story.objects.of(ada_told).filter(memory_ids__contains=[gone.pk]).exists()
        assert SearchSet.objects.of(ada_told).get().passages == 5
    assert "Lisbon" not in opened(ada_told, "text") + opened(ada_told, "places")


def test_a_conversation_without_memories_has_no_story_and_no_names(ada_told: UUID) -> None:
    conversation = conversation_of(ada_told, "lisbon")
    with as_user(ada_told):
        Memory.objects.of(ada_told).filter(conversation_id=conversation).delete()
        names = Entity.objects.of(ada_told).count()
    assert build_all(ada_told) == 1
    with as_user(ada_told):
        assert Story.objects.of(ada_told).get().conversation_id != conversation
        assert SearchSet.objects.of(ada_told).get().passages == 3
        assert 0 < Entity.objects.of(ada_told).count() < names


def test_a_deleted_conversation_is_forgotten_by_its_job(ada_told: UUID) -> None:
    conversation = conversation_of(ada_told, "lisbon")
    with as_user(ada_told):
        Conversation.objects.of(ada_told).get(pk=conversation).delete()
    assert build_story(user_id=ada_told, conversation_id=conversation, actor=TESTER)
    assert not build_story(user_id=ada_told, conversation_id=conversation, actor=TESTER)
    with as_user(ada_told):
        assert SearchSet.objects.of(ada_told).get().passages == 3


def test_a_text_without_words_has_no_vector_and_is_told_all_the_same(ada: UUID, tell: Callable[..., None]) -> None:
    tell(ada, "dots", [("Ada", "..."), ("", "\U0001f642"), ("Ada", " ")])
    assert build_all(ada) == 1
    with as_user(ada):
        assert Passage.objects.of(ada).filter(embedding=None).count() >= 1


@pytest.mark.parametrize("answer", [ConnectionError("secret text"), [[0.0]], [[float("nan")] * 64] * 4, "nonsense"])
def test_an_embedder_that_fails_or_lies_builds_nothing_and_tells_nothing(
    ada: UUID, tell: Callable[..., None], use_embedder: Callable[[object], None], answer: object
) -> None:
    tell(ada, "lisbon", LISBON)
    broken = BrokenEmbedder()
    broken.answer = answer
    use_embedder(broken)
    with pytest.raises(EmbedderFailed) as caught:
        build_all(ada)
    assert "secret" not in str(caught.value)
    assert state_of(ada)["stories"] == []


def test_without_a_data_key_nothing_is_told(ada: UUID, tell: Callable[..., None]) -> None:
    tell(ada, "lisbon", LISBON)
    destroy_data_keys(user_id=ada, actor=TESTER)
    with pytest.raises(DataKeyMissing):
        build_all(ada)


def test_each_building_is_on_record(ada_told: UUID) -> None:
    with as_support():
        rows = AuditLog.objects.filter(subject=ada_told, action="story.build")
        assert [row.details["passages"] for row in rows] == [3, 3]
