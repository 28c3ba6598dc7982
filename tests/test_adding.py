"""Adding as a verb, with real commits: its row of the trail goes with the COMMIT, and without it nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction

from accounts.people.services.people import Profile, ensure_person
from audit.models import AuditLog
from memories.models import Memory
from memories.payload import Payload
from memories.services.adding import NewMemory, add_memories
from memories.services.conversations import create_conversation
from tests.cast import TESTER
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import AuditUnavailable


@pytest.fixture
def add(committed: None) -> Callable[[], int]:
    """Add a memory of Ada's; how many she has."""
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    conversation = create_conversation(user_id=ada, title="Moving", actor=TESTER).row.pk

    def add() -> int:
        said = [NewMemory(Payload("Ada", "I moved to Lisbon."))]
        add_memories(user_id=ada, conversation_id=conversation, memories=said, actor=TESTER)
        return kept()

    def kept() -> int:
        with as_user(ada):
            return Memory.objects.of(ada).count()

    add.kept = kept  # type: ignore[attr-defined]
    return add


@contextmanager
def unwritable() -> Iterator[None]:
    """The trail, for a person's requests."""
    with connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON audit_logs FROM vibe_user")
        try:
            yield
        finally:
            cursor.execute("GRANT INSERT ON audit_logs TO vibe_user")


def recorded() -> int:
    with as_support():
        return AuditLog.objects.filter(action="memories.add").count()


def test_without_its_row_nothing_is_kept(add: Callable[[], int]) -> None:
    with unwritable(), pytest.raises(AuditUnavailable, match="nothing"):
        add()
    assert (add.kept(), recorded()) == (0, 0)  # type: ignore[attr-defined]
    assert (add(), recorded()) == (1, 1), "the control: with the right it is"


def test_a_commit_that_may_have_arrived_is_not_called_refused(committed: None) -> None:
    with pytest.raises(OperationalError) as lost, transaction.atomic():
        connection.closing = ("SELECT 1", ())  # type: ignore[attr-defined]
        connection.connection.pgconn.finish()
    assert not isinstance(lost.value, AuditUnavailable)
