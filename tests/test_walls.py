"""The walls between people, as the database keeps them."""

import pytest
from django.db import DatabaseError, connection, transaction

from memories.models import Conversation, Memory
from vibe.db.contexts import as_support, as_user


def test_a_person_sees_their_own_rows_and_nobody_elses(ada, jonas, tell):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    tell(jonas, "first", [("Jonas", "I bought a boat.")])
    with as_user(ada):
        assert {row.user_id for row in Memory.objects.all()} == {ada}
    with as_user(jonas):
        assert {row.user_id for row in Memory.objects.all()} == {jonas}


def test_outside_every_scope_there_are_no_rows(ada, tell):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    assert Memory.objects.count() == 0


def test_without_row_security_the_stranger_would_see_it(ada, jonas, tell):
    """The negative control: what shields Ada is the policy and nothing else."""
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE encrypted_memories DISABLE ROW LEVEL SECURITY")
    with as_user(jonas):
        assert {row.user_id for row in Memory.objects.all()} == {ada}


def test_support_cannot_read_a_sealed_column(ada, tell):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    with as_support():
        assert Conversation.objects.defer("title", "description").count() == 1
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            list(Memory.objects.all())
