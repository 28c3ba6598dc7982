"""A story job killed at any statement, before it or after it, and run again: one story, whole."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection

from accounts.people.services.people import Profile, ensure_person
from stories.building.services.build import build_story
from stories.building.services.lineage import check_lineage
from stories.models import Entity, Passage, Story
from tests.cast import TESTER
from tests.killing import Killed, killed_at
from tests.stories.conftest import LISBON, MARATHON, HashedEmbedder, build_all, conversation_of, state_of
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk

AT_MOST = 200


@pytest.fixture
def ada_going_on(committed: None, tell: Callable[..., None], use_embedder: Callable[[object], None]) -> UUID:
    """Ada, with two conversations told, of which one has gone on since."""
    use_embedder(HashedEmbedder())
    ada = ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    tell(ada, "marathon", MARATHON)
    build_all(ada)
    go_on(ada, tell, 0)
    return ada


def go_on(user_id: UUID, tell: Callable[..., None], times: int) -> None:
    added = [("Rui", f"I painted door {number} green.") for number in range(times + 1)]
    tell(user_id, "lisbon", [*LISBON, *added])


def whole(user_id: UUID) -> dict[str, object]:
    """Everything of a person's stories, with their names, and without what a revision is."""
    with as_user(user_id):
        return {
            **state_of(user_id),
            "names": sorted(Entity.objects.of(user_id).values_list("kind", "token")),
            "fingerprints": sorted(Story.objects.of(user_id).values_list("fingerprint", flat=True)),
            "passages": sorted(Passage.objects.of(user_id).values_list("pk", flat=True)),
        }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_statement_it_leaves_all_or_nothing_and_is_made_whole(
    ada_going_on: UUID, tell: Callable[..., None], after: bool
) -> None:
    lisbon = conversation_of(ada_going_on, "lisbon")
    committed = 0
    for times, statement in enumerate(range(1, AT_MOST)):
        bulk.register_vectors(connection.connection)  # what a new connection asks once does not count
        before = whole(ada_going_on)
        try:
            with killed_at(statement, after=after):
                build_story(user_id=ada_going_on, conversation_id=lisbon, actor=TESTER)
        except Killed:
            left = whole(ada_going_on)
            assert check_lineage(user_id=ada_going_on, actor=TESTER).faults == []
            made = build_story(user_id=ada_going_on, conversation_id=lisbon, actor=TESTER)
            assert made == (left == before), "what was not left as it was is there as a whole"
            committed += not made
        else:
            break
        report = check_lineage(user_id=ada_going_on, actor=TESTER)
        assert (report.stories, report.waiting, report.faults) == (2, [], [])
        with as_user(ada_going_on):
            assert Passage.objects.of(ada_going_on).count() == 3 + 4 + times
        go_on(ada_going_on, tell, times + 1)
    assert AT_MOST > statement > 25, "it was killed at every statement, and there were some"
    assert committed == 1 + after, "only what was killed after its commit was done"
