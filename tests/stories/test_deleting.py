"""A deleted story leaves nothing, and does not come back of itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from audit.models import AuditLog
from memories.models import Memory
from memories.services.changing import change_memory, delete_memory
from stories.building.services import build as services
from stories.building.services.build import build_story
from stories.building.services.lineage import check_lineage
from stories.corrections.services.correcting import delete_story
from stories.models import Entity, Passage, SearchSet, Story
from stories.reading.services import list_stories, open_story
from stories.rebuilding.services import rebuild_story
from stories.search.services import search_memories, search_stories
from tests.building import build_all, converse, say
from tests.cast import DAY, TESTER
from tests.stories.conftest import LISBON, MARATHON, HashedEmbedder, memory_saying
from tests.stories.test_corrections import correct, id_of
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import InputError, NotFound


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


def delete(user_id: UUID, external_id: str = "lisbon") -> UUID:
    story_id = id_of(user_id, external_id)
    delete_story(user_id=user_id, story_id=story_id, actor=TESTER)
    return story_id


def test_it_leaves_nothing_but_its_conversation_which_is_still_found(ada_told: UUID) -> None:
    correct(ada_told, title="The year of the zeppelin", places=["Belém"])
    delete(ada_told)
    with as_user(ada_told):
        assert Story.objects.of(ada_told).count() == 1
        assert Passage.objects.of(ada_told).count() == 6, "what was said is searched, the correction is gone"
        assert SearchSet.objects.of(ada_told).get().passages == 3
        assert Memory.objects.of(ada_told).count() == 6
        assert Entity.objects.of(ada_told).filter(kind="place").count() == 0
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []
    assert len(search_stories(user_id=ada_told, question="piano", actor=TESTER).stories) == 1, "not as a story"
    found = search_memories(user_id=ada_told, question="Who helped you carry the piano?", actor=TESTER).memories
    assert "piano" in found[0].text
    assert found[0].story_id is None


def test_it_does_not_come_back_of_itself(ada_told: UUID) -> None:
    gone = id_of(ada_told)
    delete(ada_told)
    assert build_all(ada_told) == 0
    change_memory(user_id=ada_told, memory_id=memory_saying(ada_told, 0).pk, text="I moved to Faro.", actor=TESTER)
    delete_memory(user_id=ada_told, memory_id=memory_saying(ada_told, 1).pk, actor=TESTER)
    assert build_all(ada_told) == 0
    with as_user(ada_told):
        assert Passage.objects.of(ada_told).filter(story=None).count() == 2, "they enter no other story"
    with pytest.raises(NotFound):
        rebuild_story(user_id=ada_told, story_id=gone, actor=TESTER)
    assert check_lineage(user_id=ada_told, actor=TESTER).faults == []


def test_a_new_message_begins_another_story(ada: UUID) -> None:
    conversation = converse(ada, LISBON, external_id="lisbon")
    build_all(ada)
    correct(ada, title="The year of the zeppelin")
    gone = delete(ada)
    say(ada, conversation, "Rui", "I painted the door green.")
    assert build_all(ada) == 1
    story = open_story(user_id=ada, story_id=id_of(ada), actor=TESTER)
    assert story.id != gone
    assert story.corrected == ()
    assert len(story.memory_ids) == 1
    assert check_lineage(user_id=ada, actor=TESTER).faults == []


def test_one_that_is_just_being_built_stays_deleted(ada_told: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, story = services.compose, id_of(ada_told)

    def disturbed(*source: object) -> object:
        delete(ada_told)
        return alone(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "compose", disturbed)
    with pytest.raises(NotFound):
        build_story(user_id=ada_told, story_id=story, actor=TESTER)
    with as_user(ada_told):
        assert Story.objects.of(ada_told).count() == 1


def test_nobody_deletes_anybody_elses_and_nothing_twice(ada_told: UUID, jonas_told: UUID) -> None:
    story_id = id_of(ada_told)
    for who in (jonas_told, ada_told, ada_told):
        if who == ada_told and story_id == id_of(ada_told):
            delete_story(user_id=who, story_id=story_id, actor=TESTER)
            break
        with pytest.raises(NotFound):
            delete_story(user_id=who, story_id=story_id, actor=TESTER)
    with pytest.raises(NotFound):
        delete_story(user_id=ada_told, story_id=story_id, actor=TESTER)


def test_it_is_on_record(ada_told: UUID) -> None:
    story_id = delete(ada_told)
    with as_support():
        row = AuditLog.objects.get(action="story.delete", subject=ada_told)
        assert row.resource == f"stories/{story_id}"


def test_stories_are_listed_newest_first_page_by_page(ada: UUID, tell: Callable[..., None]) -> None:
    for number in range(5):
        tell(ada, f"c{number}", MARATHON, DAY + timedelta(days=number // 2))  # two begin at the same moment
    build_all(ada)
    whole = list_stories(user_id=ada, actor=TESTER)
    assert [story.occurred_from for story in whole] == sorted((s.occurred_from for s in whole), reverse=True)
    assert len({story.id for story in whole}) == 5
    paged, after = [], None
    while page := list_stories(user_id=ada, actor=TESTER, limit=2, after=after):
        paged += page
        after = page[-1].position
    assert paged == whole
    assert "marathon" not in repr(whole)
    for limit in (0, 201):
        with pytest.raises(InputError):
            list_stories(user_id=ada, actor=TESTER, limit=limit)


def test_reading_is_on_record_and_nobody_reads_anybody_elses(ada_told: UUID, jonas_told: UUID) -> None:
    story_id = id_of(ada_told)
    assert open_story(user_id=ada_told, story_id=story_id, actor=TESTER).title.startswith("About lisbon")
    with pytest.raises(NotFound):
        open_story(user_id=jonas_told, story_id=story_id, actor=TESTER)
    assert len(list_stories(user_id=jonas_told, actor=TESTER)) == 1
    with as_support():
        assert AuditLog.objects.get(action="story.read").resource == f"stories/{story_id}"
        assert len(AuditLog.objects.get(action="stories.list").details["stories"]) == 1
