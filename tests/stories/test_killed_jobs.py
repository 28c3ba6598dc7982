"""Indexing and building killed at any statement, before it or after it, and run again: everything is whole."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection

from accounts.people.services.people import Profile, ensure_person
from stories.building.services.lineage import check_lineage
from stories.models import Passage, PendingMemory, Story
from tests.building import build_all, build_conversation, converse, say
from tests.cast import TESTER
from tests.killing import Killed, killed_at
from tests.stories.conftest import LISBON, HashedEmbedder
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk

AT_MOST = 200


@pytest.fixture
def ada(committed: None, use_embedder: Callable[[object], None]) -> UUID:
    """Ada, whose vectors are made by a job."""
    use_embedder(HashedEmbedder())
    return ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_statement_it_leaves_nothing_half_done_and_is_made_whole(ada: UUID, after: bool) -> None:
    conversation = converse(ada, LISBON)
    build_all(ada)
    for statement in range(1, AT_MOST):
        say(ada, conversation, "Rui", f"I painted door {statement} green.")
        bulk.register_vectors(connection.connection)  # what a new connection asks once does not count
        try:
            with killed_at(statement, after=after):
                build_conversation(ada, conversation)
        except Killed:
            assert check_lineage(user_id=ada, actor=TESTER).faults == []
            build_conversation(ada, conversation)
        else:
            break
        assert check_lineage(user_id=ada, actor=TESTER).faults == []
        with as_user(ada):
            assert Passage.objects.of(ada).count() == 3 + statement
            assert not Passage.objects.of(ada).filter(embedding=None).exists()
            assert not PendingMemory.objects.of(ada).exists()
            assert not Story.objects.of(ada).filter(title=None).exists()
    assert AT_MOST > statement > 25, "it was killed at every statement, and there were some"
