"""The check of lineage finds each kind of leftover, and the names of a person are listed without opening a story."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from audit.models import AuditLog
from memories.models import Memory
from memories.services.changing import delete_memory
from stories.building.services.lineage import check_lineage
from stories.entities.services import list_entities
from stories.models import Entity, Passage, SearchSet, Story
from tests.cast import DAY, TESTER
from tests.stories.conftest import LISBON, HashedEmbedder, build_all, memory_saying
from vibe.core.crypto.seal import Sealed
from vibe.core.db.scopes import as_support, as_user


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


def faults(user_id: UUID) -> set[str]:
    return {fault.what for fault in check_lineage(user_id=user_id, actor=TESTER).faults}


def test_what_was_just_built_is_without_fault(ada_told: UUID, jonas_told: UUID) -> None:
    report = check_lineage(user_id=ada_told, actor=TESTER)
    assert (report.stories, report.waiting, report.faults) == (2, [], [])
    out = StringIO()
    call_command("check_lineage", stdout=out)
    assert out.getvalue() == "3 stories checked; 0 wait to be built.\n"


def test_a_story_that_waits_for_its_job_is_behind_and_no_fault(ada_told: UUID) -> None:
    gone = memory_saying(ada_told, 1)
    delete_memory(user_id=ada_told, memory_id=gone.pk, actor=TESTER)
    report = check_lineage(user_id=ada_told, actor=TESTER)
    assert (len(report.waiting), report.faults) == (1, [])
    build_all(ada_told)
    report = check_lineage(user_id=ada_told, actor=TESTER)
    assert (report.waiting, report.faults) == ([], [])


def raw_deletion(who: UUID) -> None:
    """A memory deleted past the verb, as by somebody at the database: its passages go with it, its story does not."""
    memory_saying(who, 0).delete()


def some_story(who: UUID) -> Story:
    found: Story = Story.objects.of(who).order_by("id")[0]
    return found


TAMPERINGS: dict[str, Callable[[UUID], object]] = {
    "passage of what a memory said before": lambda who: Memory.objects.of(who).update(revision=F("revision") + 1),
    "passage in the story of another conversation": lambda who: Passage.objects.of(who).update(story=some_story(who)),
    "passage in another conversation than its memory": lambda who: Passage.objects.of(who).update(
        conversation_id=some_story(who).conversation_id
    ),
    "vector made with a memory that is gone": lambda who: Passage.objects.of(who).update(context=uuid4()),
    "vector of another model that no job will make again": lambda who: Passage.objects.of(who).update(model=7),
    "memory that is neither indexed nor pending": lambda who: Passage.objects.of(who).filter(part=0)[:1].get().delete(),
    "story that says what a deleted memory said": raw_deletion,
    "story that counts other memories than it has": lambda who: Story.objects.of(who).update(memory_count=9),
    "story that no build will ever complete": lambda who: Story.objects.of(who).update(title=None, due_at=None),
    "search set with other counts than its stories": lambda who: SearchSet.objects.of(who).update(words=F("words") + 1),
    "stories without a search set": lambda who: SearchSet.objects.of(who).delete(),
    "event of a memory that is gone": raw_deletion,
    "place that no story bears": lambda who: Entity(user_id=who, kind="place", token=7, name=Sealed(b"\1" * 40)).save(
        force_insert=True
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_each_kind_of_leftover_is_found(ada_told: UUID, what: str) -> None:
    with as_user(ada_told):
        TAMPERINGS[what](ada_told)
    assert what in faults(ada_told)
    with pytest.raises(CommandError):
        call_command("check_lineage", user="ada", stdout=StringIO(), stderr=StringIO())


def test_the_check_is_on_record(ada_told: UUID) -> None:
    check_lineage(user_id=ada_told, actor=TESTER)
    with as_support():
        assert AuditLog.objects.get(action="lineage.check").details == {"stories": 2, "waiting": 0, "faults": 0}


def test_names_are_listed_with_counts_and_dates(ada: UUID, jonas_told: UUID, tell: Callable[..., None]) -> None:
    tell(ada, "lisbon", LISBON)
    tell(
        ada,
        "again",
        [("Ada", "I love living in Lisbon."), ("Ada", "I visited Porto yesterday.")],
        DAY + timedelta(days=9),
    )
    build_all(ada)
    places = list_entities(user_id=ada, kind="place", actor=TESTER)
    assert [(each.name, each.stories) for each in places] == [("Lisbon", 2), ("Porto", 1)]
    assert (places[0].first, places[0].last) == (
        DAY + timedelta(minutes=1),
        DAY + timedelta(days=9, minutes=2),
    )
    assert [each.name for each in list_entities(user_id=ada, kind="speaker", actor=TESTER, limit=1)] == ["Ada"]
    assert "Lisbon" not in repr(places)
    out = StringIO()
    call_command("list_entities", "place", user="ada", stdout=out)
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["Lisbon", "Porto"]
    with as_support():
        assert AuditLog.objects.filter(action="entities.list", subject=ada).count() == 3
