"""A story is built whole or not at all, is the same when built again, and never says more than its memories do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.keys.services.data_keys import destroy_data_keys, open_vault
from audit.models import AuditLog
from memories.models import Memory
from memories.services.changing import change_memory, delete_memory
from memories.services.conversations import change_conversation, delete_conversation
from stories.building.services import build as services
from stories.building.services.build import build_due, build_story
from stories.building.services.lineage import check_lineage
from stories.building.sources import Source
from stories.models import Entity, Passage, SearchSet, Story
from stories.processors.configured import EmbedderFailed
from tests.building import build_all, converse, index_all, say, stories_of
from tests.cast import DAY, TESTER
from tests.stories.conftest import (
    LISBON,
    BrokenEmbedder,
    HashedEmbedder,
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
    change_memory(user_id=memory.user_id, memory_id=memory.pk, text=text, actor=TESTER)


def delete(memory: Memory) -> None:
    delete_memory(user_id=memory.user_id, memory_id=memory.pk, actor=TESTER)


def test_a_story_is_sealed_and_tells_of_its_memories(ada_told: UUID) -> None:
    assert "Lisbon" in json.loads(opened(ada_told, "places"))
    assert "Lisbon" in opened(ada_told, "text")
    with as_user(ada_told):
        story = Story.objects.of(ada_told).get(conversation_id=conversation_of(ada_told, "lisbon"))
        memories = set(
            Memory.objects.of(ada_told).filter(conversation_id=story.conversation_id).values_list("pk", flat=True)
        )
        assert set(story.memory_ids) == memories == set(story.passages.values_list("memory_id", flat=True))
        assert (story.passage_count, story.memory_count, story.revision, story.is_open) == (3, 3, 2, False)
        assert story.occurred_from == DAY + timedelta(minutes=1)


def test_building_again_changes_nothing(ada_told: UUID) -> None:
    before = state_of(ada_told)
    assert build_all(ada_told) == 0
    assert state_of(ada_told) == before


def test_two_builders_at_once_build_one_story(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds, when it comes to storing, that the first has stored another revision, and stores nothing."""
    tell(ada, "lisbon", LISBON)
    index_all(ada)
    alone, [story] = services.compose, stories_of(ada)

    def overtaken(*source: object) -> object:
        monkeypatch.setattr(services, "compose", alone)
        assert build_story(user_id=ada, story_id=story, actor=TESTER)
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "compose", overtaken)
    assert not build_story(user_id=ada, story_id=story, actor=TESTER)
    with as_user(ada):
        assert Story.objects.of(ada).get().revision == 2


def test_control_without_the_comparison_the_second_would_store_too(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ada, "lisbon", LISBON)
    index_all(ada)
    alone, [story], times = services.compose, stories_of(ada), []

    def overtaken(source: Source, *rest: object) -> object:
        times.append(1)
        if len(times) == 1:
            build_story(user_id=ada, story_id=story, actor=TESTER)
            object.__setattr__(source, "story_revision", 2)
        return alone(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "compose", overtaken)
    assert build_story(user_id=ada, story_id=story, actor=TESTER)


def test_a_memory_added_later_is_built_in_under_the_same_id(ada: UUID) -> None:
    conversation = converse(ada, LISBON)
    [story] = stories_of(ada)
    build_story(user_id=ada, story_id=story, actor=TESTER)
    say(ada, conversation, "Rui", "I painted the door green.")
    assert build_story(user_id=ada, story_id=story, actor=TESTER)
    with as_user(ada):
        after = Story.objects.of(ada).get(pk=story)
        assert (after.revision, after.passage_count, after.memory_count) == (3, 4, 4)
        assert SearchSet.objects.of(ada).get().passages == 4


def test_what_is_said_while_a_story_is_built_is_for_the_next_build(ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = converse(ada, LISBON)
    [story] = stories_of(ada)
    alone = services.compose

    def disturbed(*source: object) -> object:
        say(ada, conversation, "Rui", "I painted the door green.")
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "compose", disturbed)
    assert build_story(user_id=ada, story_id=story, actor=TESTER), "what was built is kept"
    with as_user(ada):
        built = Story.objects.of(ada).get()
        assert (len(built.memory_ids), built.memory_count) == (3, 4)
        assert built.due_at is not None
        assert built.is_open, "and it is built again at a doubling, or at its closing"


def pass_by(user_id: UUID) -> None:
    """Three hours go by: more than the gap after which an episode ends."""
    hours = timedelta(hours=3)
    with as_user(user_id):
        for each in ("occurred_from", "occurred_to", "built_at", "due_at"):
            Story.objects.of(user_id).update(**{each: F(each) - hours})
        Passage.objects.of(user_id).update(occurred_at=F("occurred_at") - hours)
        Memory.objects.of(user_id).update(occurred_at=F("occurred_at") - hours)


def state(user_id: UUID) -> list[tuple[bool, int, bool]]:
    """Of each story: whether it is open, how many memories it was built of, and whether it is due."""
    with as_user(user_id):
        stories = Story.objects.of(user_id).order_by("occurred_from")
        return [(story.is_open, len(story.memory_ids), story.due_at is not None) for story in stories]


def built_while_open(user_id: UUID) -> UUID:
    conversation = converse(user_id, LISBON)
    assert build_story(user_id=user_id, story_id=stories_of(user_id)[0], actor=TESTER)
    assert state(user_id) == [(True, 3, True)]
    return conversation


def test_an_episode_that_is_built_closes_without_another_build(ada: UUID) -> None:
    built_while_open(ada)
    pass_by(ada)
    assert build_due(user_id=ada, actor=TESTER) == 0
    assert state(ada) == [(False, 3, False)]


def test_so_it_does_when_more_is_said_after_the_gap(ada: UUID) -> None:
    conversation = built_while_open(ada)
    pass_by(ada)
    say(ada, conversation, "Rui", "I painted the door green.")
    assert state(ada) == [(False, 3, False), (True, 0, True)]


def test_control_what_was_said_since_is_built_at_its_closing(ada: UUID) -> None:
    conversation = built_while_open(ada)
    say(ada, conversation, "Rui", "I painted the door green.")
    pass_by(ada)
    assert build_due(user_id=ada, actor=TESTER) == 1
    assert state(ada) == [(False, 4, False)]


def test_control_a_renamed_conversation_is_built_at_its_closing(ada: UUID) -> None:
    conversation = built_while_open(ada)
    change_conversation(user_id=ada, conversation_id=conversation, texts={"title": "The blue door"}, actor=TESTER)
    pass_by(ada)
    assert build_due(user_id=ada, actor=TESTER) == 1


def test_a_changed_memory_is_found_by_what_it_says_now_and_its_story_says_nothing_until_it_is_built(
    ada_told: UUID,
) -> None:
    changed = memory_saying(ada_told, 0)
    change(changed, "I moved to Madrid.")
    with as_user(ada_told):
        assert Passage.objects.of(ada_told).get(memory_id=changed.pk).memory_revision == 2
        story = Story.objects.of(ada_told).get(conversation_id=changed.conversation_id)
        assert (story.title, story.text, story.people, story.places, story.events, story.embedding) == (None,) * 6
        assert story.people_index == story.places_index == story.events_index == []
        assert not Entity.objects.of(ada_told).filter(kind="place").exists(), "Lisbon went with it"
    assert build_all(ada_told) == 1
    with as_user(ada_told):
        assert SearchSet.objects.of(ada_told).get().passages == 6
    assert "Madrid" in json.loads(opened(ada_told, "places"))
    assert "blue door" not in opened(ada_told, "text")


@pytest.mark.parametrize("verb", ["change", "delete"])
def test_a_story_is_discarded_if_what_it_was_made_of_changed_meanwhile(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    tell(ada, "lisbon", LISBON)
    index_all(ada)
    [story], alone = stories_of(ada), services.compose

    def disturbed(*source: object) -> object:
        monkeypatch.setattr(services, "compose", alone)
        if verb == "change":
            change(memory_saying(ada, 0), "I moved to Madrid.")
        else:
            delete(memory_saying(ada, 0))
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "compose", disturbed)
    assert not build_story(user_id=ada, story_id=story, actor=TESTER)
    with as_user(ada):
        discarded = Story.objects.of(ada).get()
        assert discarded.title is None
        assert discarded.due_at is not None
        assert discarded.due_at <= timezone.now()
    assert build_all(ada) == 1
    assert "Lisbon" not in opened(ada, "text")


def test_a_story_is_discarded_if_its_conversation_was_renamed_meanwhile(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ada, "lisbon", LISBON)
    index_all(ada)
    [story], alone, where = stories_of(ada), services.compose, memory_saying(ada, 0).conversation_id

    def renamed(*source: object) -> object:
        change_conversation(user_id=ada, conversation_id=where, texts={"title": "The blue door"}, actor=TESTER)
        return alone(*source)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(services, "compose", renamed)
        assert not build_story(user_id=ada, story_id=story, actor=TESTER)
    assert build_all(ada) == 1
    assert opened(ada, "title").startswith("The blue door")


def test_a_deleted_memory_leaves_nothing_at_once(ada_told: UUID) -> None:
    gone = memory_saying(ada_told, 0)
    delete(gone)
    with as_user(ada_told):
        assert not Passage.objects.of(ada_told).filter(memory_id=gone.pk).exists()
        assert not Passage.objects.of(ada_told).filter(context=gone.pk).exists(), "nor a vector made with it"
        assert not Story.objects.of(ada_told).filter(memory_ids__contains=[gone.pk]).exists()
        assert not Entity.objects.of(ada_told).filter(kind="place").exists()
        assert Story.objects.of(ada_told).get(conversation_id=gone.conversation_id).text is None
    report = check_lineage(user_id=ada_told, actor=TESTER)
    assert report.faults == []
    build_all(ada_told)
    with as_user(ada_told):
        assert SearchSet.objects.of(ada_told).get().passages == 5
        assert not Passage.objects.of(ada_told).filter(embedding=None).exists(), "the reply was embedded without it"
    assert "Lisbon" not in opened(ada_told, "text") + opened(ada_told, "places")


def test_an_episode_without_memories_has_no_story_and_no_names(ada_told: UUID) -> None:
    conversation = conversation_of(ada_told, "lisbon")
    with as_user(ada_told):
        names = Entity.objects.of(ada_told).count()
    for _ in LISBON:
        delete(memory_saying(ada_told, 0))
    with as_user(ada_told):
        assert Story.objects.of(ada_told).get().conversation_id != conversation
        assert SearchSet.objects.of(ada_told).get().passages == 3
        assert 0 < Entity.objects.of(ada_told).count() < names
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []


def test_a_deleted_conversation_leaves_nothing(ada_told: UUID) -> None:
    conversation = conversation_of(ada_told, "lisbon")
    delete_conversation(user_id=ada_told, conversation_id=conversation, actor=TESTER)
    with as_user(ada_told):
        assert SearchSet.objects.of(ada_told).get().passages == 3
        assert not Entity.objects.of(ada_told).filter(kind="place").exists()
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []


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
    index_all(ada)
    broken = BrokenEmbedder()
    broken.answer = answer
    use_embedder(broken)
    [story] = stories_of(ada)
    with pytest.raises(EmbedderFailed) as caught:
        build_story(user_id=ada, story_id=story, actor=TESTER)
    assert "secret" not in str(caught.value)
    with as_user(ada):
        assert Story.objects.of(ada).get().title is None


def test_a_build_that_fails_is_put_off_with_its_reason_and_taken_up_by_itself(
    ada: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ada, "lisbon", LISBON)
    index_all(ada)
    alone = services.compose

    def failing(*_: object) -> object:
        raise ValueError("My brother Tomas dropped the piano")

    monkeypatch.setattr(services, "compose", failing)
    for tries in (1, 2):
        with as_user(ada):
            Story.objects.of(ada).update(due_at=timezone.now())
        assert build_due(user_id=ada, actor=TESTER) == 0
        with as_user(ada):
            story = Story.objects.of(ada).get()
        assert (story.tries, story.failure) == (tries, "The processor failed: ValueError.")
        assert story.due_at is not None
        assert story.due_at > timezone.now() + timedelta(seconds=14 * tries)
    assert build_due(user_id=ada, actor=TESTER) == 0, "not before its time"
    monkeypatch.setattr(services, "compose", alone)
    with as_user(ada):
        Story.objects.of(ada).update(due_at=timezone.now())
    assert build_due(user_id=ada, actor=TESTER) == 1
    with as_user(ada):
        story = Story.objects.of(ada).get()
        assert (story.tries, story.failure) == (0, "")
    with as_support():
        assert "piano" not in str(list(AuditLog.objects.filter(subject=ada).values()))


def test_without_a_data_key_nothing_is_told(ada: UUID, tell: Callable[..., None]) -> None:
    tell(ada, "lisbon", LISBON)
    destroy_data_keys(user_id=ada, actor=TESTER)
    with pytest.raises(DataKeyMissing):
        build_all(ada)


def test_each_building_is_on_record(ada_told: UUID) -> None:
    with as_support():
        rows = AuditLog.objects.filter(subject=ada_told, action="story.build")
        assert [row.details["memories"] for row in rows] == [3, 3]


@pytest.mark.parametrize("again", [False, True])
def test_whom_another_story_names_is_a_person_in_later_ones(ada: UUID, tell: Callable[..., None], again: bool) -> None:
    tell(ada, "first", [("Ada", "My neighbour Tvrtkoslava told me a joke."), ("Ada", "We stayed in Vrbogradec.")])
    tell(ada, "lisbon", [("Ada", "Saw Tvrtkoslava today, and a film of Vrbogradec."), ("Ada", "So did Kwemlisa.")])
    build_all(ada)
    if again:  # what only the story itself has is no evidence for it
        with as_user(ada):
            Story.objects.of(ada).update(due_at=timezone.now())
        build_all(ada)
    assert json.loads(opened(ada, "people")) == ["Ada", "Tvrtkoslava"]
    assert json.loads(opened(ada, "places")) == ["Vrbogradec"]
    delete_conversation(user_id=ada, conversation_id=conversation_of(ada, "first"), actor=TESTER)
    with as_user(ada):
        Story.objects.of(ada).update(due_at=timezone.now())
    build_all(ada)
    assert json.loads(opened(ada, "people")) == ["Ada"]
    assert json.loads(opened(ada, "places")) == []
