"""The walls between people, as the database keeps them: every table, every verb, with nothing in the WHERE clause."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.models import AccessGrant, Export, KeptAnswer, LastChange, User, UserKey, UserPreferences
from memories.models import Conversation, Import, Memory, StorageCount
from stories.models import Entity, Fact, NextVector, Passage, PendingMemory, SearchSet, Story, TokenUse
from tests.cast import DAY
from tests.protections import unprotected
from vibe.core.crypto.seal import Sealed
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_support, as_system, as_user

NOTHING = Sealed(b"\x02" + bytes(286))
OWNED = sorted((model for model in apps.get_models() if issubclass(model, UserOwned)), key=lambda model: model.__name__)
# What `vibe_user` may do to a whole table; elsewhere its privileges end first.
CHANGED = [Conversation, Memory, Story, Passage, Entity, SearchSet]


@pytest.fixture
def furnished(ada, jonas):
    """Both have a row in every table of people's rows, put there as the owner with the walls down."""
    with unprotected(*(model._meta.db_table for model in OWNED)):
        for person in (ada, jonas):
            furnish(person)


def furnish(person):
    conversation = Conversation.objects.create(user_id=person, started_at=DAY, active_at=DAY)
    memory = Memory.objects.create(
        user_id=person, conversation=conversation, message_ids=["m1"], payload=NOTHING, occurred_at=DAY
    )
    sealed = dict.fromkeys(("title", "text", "people", "places", "events"), NOTHING)
    story = Story.objects.create(
        user_id=person,
        conversation=conversation,
        **sealed,
        occurred_from=DAY,
        occurred_to=DAY,
        processor="-",
        built_at=DAY,
    )
    Passage.objects.create(
        user_id=person, conversation=conversation, story=story, memory=memory, speaker=1, length=1, occurred_at=DAY
    )
    PendingMemory.objects.create(user_id=person, memory=memory)
    NextVector.objects.create(user_id=person, story=story, part=-1, revision=1, embedder="-")
    Entity.objects.create(user_id=person, kind="place", token=1, name=NOTHING)
    Fact.objects.create(user_id=person, memory=memory, statement=NOTHING)
    SearchSet.objects.create(user_id=person)
    StorageCount.objects.create(user_id=person, memories=1, bytes=543, day=DAY.date(), day_memories=1, day_bytes=543)
    TokenUse.objects.create(user_id=person, day=DAY.date(), tokens=1)
    UserPreferences.objects.create(user_id=person)
    Export.objects.create(user_id=person)
    Import.objects.create(user_id=person, form="jsonl")
    KeptAnswer.objects.create(user_id=person, key=bytes(32))
    LastChange.objects.create(user_id=person, place=1)
    AccessGrant.objects.create(
        user_id=person, requested_by=uuid4(), reason="-", ticket="-", duration=timedelta(hours=1)
    )


def own_column(model):
    return "id" if model is User else "user_id"


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def owners_left(model):
    """Whose rows are there, with the walls down."""
    table = model._meta.db_table
    with unprotected(table):
        return sorted(owner for (owner,) in run(f"SELECT {own_column(model)} FROM {table}"))


def test_every_table_of_peoples_rows_is_tried_here(furnished, ada, jonas):
    for model in OWNED:
        assert set(owners_left(model)) == {ada, jonas}, model


@pytest.mark.parametrize("model", [*OWNED, User], ids=lambda model: model.__name__)
def test_a_person_sees_their_own_rows_and_nobody_elses(furnished, ada, jonas, model):
    statement = f"SELECT DISTINCT {own_column(model)} FROM {model._meta.db_table}"
    for person in (ada, jonas):
        with as_user(person):
            assert run(statement) == [(person,)]
    assert run(statement) == []


@pytest.mark.parametrize("model", [*OWNED, User], ids=lambda model: model.__name__)
def test_without_row_security_the_other_would_see_them(furnished, ada, jonas, model):
    """The negative control: what shields Ada is the policy and nothing else."""
    run(f"ALTER TABLE {model._meta.db_table} DISABLE ROW LEVEL SECURITY")
    with as_user(jonas):
        seen = {owner for (owner,) in run(f"SELECT {own_column(model)} FROM {model._meta.db_table}")}
        assert {ada, jonas} <= seen


@pytest.mark.parametrize("model", CHANGED, ids=lambda model: model.__name__)
def test_a_person_deletes_and_changes_their_own_rows_and_nobody_elses(furnished, ada, jonas, model):
    table = model._meta.db_table
    with as_user(jonas):
        assert run(f"UPDATE {table} SET id = id") == 1
        assert run(f"DELETE FROM {table}") == 1
    assert owners_left(model) == [ada]


@pytest.mark.parametrize("model", CHANGED, ids=lambda model: model.__name__)
def test_without_row_security_the_other_would_delete_them(furnished, ada, jonas, model):
    """The negative control."""
    run(f"ALTER TABLE {model._meta.db_table} DISABLE ROW LEVEL SECURITY")
    with as_user(jonas):
        assert run(f"DELETE FROM {model._meta.db_table}") == 2


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_no_row_can_be_given_to_another(furnished, ada, jonas, model):
    """By the policy's check where the column may be written at all, by privilege elsewhere."""
    with (
        as_user(jonas),
        pytest.raises(DatabaseError, match=r"row-level security|permission denied"),
        transaction.atomic(),
    ):
        run(f"UPDATE {model._meta.db_table} SET user_id = '{ada}'")


@pytest.mark.parametrize("model", CHANGED, ids=lambda model: model.__name__)
def test_no_row_can_be_made_for_another(furnished, ada, jonas, model):
    columns = ", ".join(f'"{field.column}"' for field in model._meta.local_fields if field.column != "user_id")
    copy = (
        f"INSERT INTO {model._meta.db_table} (user_id, {columns}) SELECT '{ada}', {columns} FROM {model._meta.db_table}"
    )
    with as_user(jonas), pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        run(copy)


@pytest.mark.parametrize("context", ["", "00000000-0000-0000-0000-000000000000"])
def test_an_empty_or_wrong_context_has_no_rows(furnished, ada, context):
    with as_user(ada):
        run(f"SET LOCAL vibe.user_id = '{context}'")
        for model in [*OWNED, User]:
            assert run(f"SELECT count(*) FROM {model._meta.db_table}") == [(0,)]


def test_a_context_that_is_no_uuid_is_an_error_and_no_rows(furnished, ada):
    with as_user(ada), pytest.raises(DatabaseError, match="uuid"), transaction.atomic():
        run("SET LOCAL vibe.user_id = 'everybody'")
        run("SELECT count(*) FROM encrypted_memories")


def test_a_role_without_a_context_has_no_rows(furnished):
    with transaction.atomic():
        run("SET LOCAL ROLE vibe_user")
        for model in [*OWNED, User]:
            assert run(f"SELECT count(*) FROM {model._meta.db_table}") == [(0,)]
        run("SET LOCAL ROLE none")


@pytest.mark.parametrize(
    ("model", "reference"),
    [(Memory, "conversation_id"), (Story, "conversation_id"), (Passage, "story_id"), (Passage, "memory_id")],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_no_row_can_point_into_another_persons_data(furnished, ada, jonas, model, reference):
    """Not even the owner of the tables can do it, with the walls down."""
    target = model._meta.get_field(reference.removesuffix("_id")).related_model
    table, other = model._meta.db_table, target._meta.db_table
    with unprotected(table, other):
        ((theirs,),) = run(f"SELECT id FROM {other} WHERE user_id = '{ada}'")
        with pytest.raises(IntegrityError, match="foreign key"), transaction.atomic():
            run(f"UPDATE {table} SET {reference} = '{theirs}' WHERE user_id = '{jonas}'")


def test_deleting_a_conversation_takes_what_hangs_on_it_and_nothing_else(furnished, ada, jonas):
    with as_user(jonas):
        Conversation.objects.get().delete()
    for model in (Conversation, Memory, Story, Passage):
        assert owners_left(model) == [ada]
    assert owners_left(Entity) == sorted([ada, jonas])


def test_a_person_cannot_be_deleted_from_their_own_scope(furnished, ada):
    with as_user(ada), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        run("DELETE FROM users")


def test_support_sees_everybodys_metadata_and_no_sealed_column(furnished, ada, jonas):
    with as_support():
        assert run("SELECT count(DISTINCT user_id) FROM conversations") == [(2,)]
        for column, table in (("payload", "encrypted_memories"), ("title", "conversations"), ("embedding", "passages")):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                run(f"SELECT {column} FROM {table}")
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                run(f"SELECT 1 FROM {table} WHERE {column} IS NULL")


@pytest.mark.parametrize("scope", [as_support, as_system])
def test_neither_support_nor_the_system_can_change_content(furnished, scope):
    for statement in ("UPDATE encrypted_memories SET payload = ''", "DELETE FROM stories", "TRUNCATE conversations"):
        with scope(), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            run(statement)


def test_row_security_is_the_net_and_the_owner_is_in_every_statement(furnished, ada):
    """A protection that only the text shows: save, delete and follow name the owner, beside what row security does."""
    from django.test.utils import CaptureQueriesContext

    with as_user(ada), CaptureQueriesContext(connection) as captured:
        memory = Memory.objects.of(ada).get()
        assert memory.conversation.pk == memory.conversation_id
        conversation = Conversation.objects.of(ada).get()
        conversation.save()
        list(Conversation.objects.of(ada).filter(memories__occurred_at=DAY))
        conversation.delete()
    statements = [each["sql"] for each in captured if " FROM " in each["sql"] or each["sql"].startswith("UPDATE")]
    assert statements
    assert all('"user_id" = ' in statement for statement in statements), statements


def test_a_person_may_not_raise_themselves(furnished, ada):
    with as_user(ada):
        for column in ("is_staff", "is_superuser", "is_active", "firebase_uid", "password"):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                run(f"UPDATE users SET {column} = {column}")


def test_a_destroyed_key_cannot_be_put_back_by_a_person(furnished, ada):
    with as_user(ada), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        UserKey.objects.of(ada).update(destroyed_at=None)


def test_ids_of_others_are_not_told_by_a_collision(furnished, ada, jonas):
    """A unique constraint without the owner would answer whether another's row exists."""
    with as_user(ada):
        Conversation.objects.create(user_id=ada, external_id="same", started_at=DAY, active_at=DAY)
    with as_user(jonas):
        Conversation.objects.create(user_id=jonas, external_id="same", started_at=DAY, active_at=DAY)
