"""The schema as the catalog has it, not as the migrations say: walls, references, indexes, privileges, triggers."""

from __future__ import annotations

import io

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction
from django.test.utils import isolate_apps

from stories.models import SearchSet  # whose `words` is a number of words
from tests.protections import unprotected
from vibe.core.crypto.fields import SealedColumn, SealedField
from vibe.core.db.checks import is_ours, problems_of, unrestricted_login_roles
from vibe.core.db.configured import embedded_server
from vibe.core.db.roles import ALL, SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import OwnedForeignKey, UserOwned

pytestmark = pytest.mark.django_db

OWN = "(user_id = (NULLIF(current_setting('vibe.user_id'::text, true), ''::text))::uuid)"
NAMED = {"users", "conversations", "encrypted_memories", "stories", "audit_logs", "user_preferences"}
# What support must never read, beside the sealed columns: what could be searched by, or compared.
BLIND = {
    "embedding",
    "words",
    "speaker",
    "token",
    "companion_token",
    "people_index",
    "places_index",
    "events_index",
}


def rows(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def owned_tables():
    """Tables with a user_id, by the catalog: a forgotten model is found too. A framework's tables are of staff."""
    found = rows(
        "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'user_id' "
        "AND NOT a.attisdropped"
    )
    theirs = {m._meta.db_table for m in apps.get_models(include_auto_created=True) if not is_ours(m)}
    return {name for (name,) in found} - theirs


def test_all_the_named_tables_are_there():
    assert {name for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")} >= NAMED


def test_every_table_with_an_owner_is_a_model_of_peoples_rows():
    assert owned_tables() == {m._meta.db_table for m in apps.get_models() if issubclass(m, UserOwned)}


def test_every_table_with_an_owner_has_forced_row_security():
    walled = rows("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
    assert {name for (name,) in walled} >= owned_tables() | {"users", "audit_logs"}


def test_the_owners_policy_is_the_one_of_the_design_for_reading_and_for_writing():
    found = rows(
        "SELECT tablename, permissive, cmd, qual, with_check FROM pg_policies WHERE roles = %s::name[]", [USER]
    )
    policies = {table: policy for table, *policy in found}
    assert len(policies) == len(found)
    for table in owned_tables():
        assert policies[table] == ["PERMISSIVE", "ALL", OWN, OWN], table
    assert policies["users"] == ["PERMISSIVE", "ALL", *[OWN.replace("user_id =", "id =")] * 2]
    assert policies["audit_logs"] == ["PERMISSIVE", "ALL", *[OWN.replace("user_id =", "subject =")] * 2]


def test_no_policy_has_a_way_around_it():
    """No sub-select, no OR, nobody but our roles, and nobody twice on one table."""
    found = rows("SELECT tablename, roles::text[], coalesce(qual, '') || coalesce(with_check, '') FROM pg_policies")
    for table, roles, text in found:
        assert "SELECT" not in text.upper() and " OR " not in text.upper(), (table, text)
        assert len(roles) == 1 and roles[0] in ALL, (table, roles)
    assert len({(table, roles[0]) for table, roles, _ in found}) == len(found)


def test_every_reference_between_peoples_tables_carries_the_owner_and_deletes_with_its_target():
    found = rows(
        "SELECT conrelid::regclass::text, confrelid::regclass::text, confdeltype::text, condeferrable, convalidated, "
        "(SELECT array_agg(attname::text ORDER BY place) FROM unnest(conkey) WITH ORDINALITY k(number, place) "
        " JOIN pg_attribute ON attrelid = conrelid AND attnum = number) "
        "FROM pg_constraint WHERE contype = 'f'"
    )
    ours = {(table, target, tuple(columns)) for table, target, *_, columns in found if table in owned_tables()}
    assert ours >= {
        ("conversations", "users", ("user_id",)),
        ("encrypted_memories", "conversations", ("user_id", "conversation_id")),
        ("stories", "conversations", ("user_id", "conversation_id")),
        ("passages", "stories", ("user_id", "story_id")),
        ("passages", "encrypted_memories", ("user_id", "memory_id")),
        ("user_keys", "users", ("user_id",)),
        ("user_preferences", "users", ("user_id",)),
        ("access_grants", "users", ("user_id",)),
    }
    for table, target, deletes, deferrable, valid, columns in found:
        if table in owned_tables():
            assert (deletes, deferrable, valid) == ("c", False, True), table
            assert columns[0] == "user_id" and (len(columns) == 2) == (target != "users"), (table, columns)
    assert {table for table, *_ in ours} == owned_tables()


def test_every_owner_is_not_null():
    loose = rows(
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'user_id' AND NOT attnotnull "
        "AND attrelid::regclass::text = ANY(%s)",
        list(owned_tables()),
    )
    assert loose == []


def test_every_unique_index_of_peoples_tables_has_the_owner_in_it():
    found = rows(
        "SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indisunique AND NOT indisprimary AND indrelid::regclass::text = ANY(%s)",
        list(owned_tables()),
    )
    assert found and all("user_id" in definition for _, definition in found), found


def test_the_indexes_that_the_queries_are_made_for_are_there():
    indexes = dict(rows("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    assert "(user_id, active_at DESC, id DESC) WHERE (NOT is_archived)" in indexes["conversations_active"]
    assert "(user_id, active_at DESC, id DESC) WHERE is_archived" in indexes["conversations_archived"]
    assert "USING gin (message_ids)" in indexes["memories_message_ids"]
    assert "USING gin (words)" in indexes["passages_words"]
    for kind in ("people", "places", "events"):
        assert f"USING gin ({kind}_index)" in indexes[f"stories_{kind}"]
    graphs = {"stories_embedding": 512, "passages_embedding": 512}
    for name, width in {**graphs, "passages_embedding_768": 768, "passages_embedding_1024": 1024}.items():
        assert f"USING hnsw (((embedding)::halfvec({width})) halfvec_cosine_ops)" in indexes[name]
        assert indexes[name].endswith(f"WHERE (in_graph AND (vector_dims(embedding) = {width}))")
    assert "lower((email)::text)" in indexes["users_email_unique"]
    assert any("UNIQUE" in each and "(firebase_uid)" in each for each in indexes.values())


def test_every_sealed_column_is_bytea_and_no_other_column_of_theirs_could_hold_text_of_people():
    kinds = {
        (table, column): kind
        for table, column, kind in rows("SELECT table_name, column_name, data_type FROM information_schema.columns")
    }
    sealed = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, SealedColumn)
    ]
    assert len(sealed) >= 10
    assert {kinds[each] for each in sealed} == {"bytea"}


@pytest.mark.parametrize("role", [SUPPORT, SYSTEM])
def test_neither_support_nor_the_system_has_a_privilege_on_what_is_sealed_or_blind(role):
    wrapped = {"wrapped", "name"} if role == SYSTEM else set()  # under the master key: rotated by the system
    for model in apps.get_models():
        if not issubclass(model, UserOwned) and model._meta.db_table != "users":
            continue
        for field in model._meta.local_fields:
            hidden = isinstance(field, SealedColumn) or (field.column in BLIND and model is not SearchSet)
            if hidden and not (field.column in wrapped and model._meta.db_table in {"users", "user_keys"}):
                table, column = model._meta.db_table, field.column
                for verb in ("SELECT", "INSERT", "UPDATE"):
                    assert rows("SELECT has_column_privilege(%s, %s, %s, %s)", role, table, column, verb) == [
                        (False,)
                    ], f"{role} may {verb} {table}.{column}"


@pytest.mark.parametrize("role", ALL)
def test_no_role_can_truncate_refer_or_go_round_by_a_partition(role):
    for (table,) in rows("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relispartition"):
        for verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            assert rows("SELECT has_table_privilege(%s, %s, %s)", role, table, verb) == [(False,)], (table, verb)
    for table in owned_tables() | NAMED:
        for verb in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            assert rows("SELECT has_table_privilege(%s, %s, %s)", role, table, verb) == [(False,)], (table, verb)


def test_the_roles_can_do_nothing_but_what_they_are_granted():
    assert rows(
        "SELECT DISTINCT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication "
        "FROM pg_roles WHERE rolname = ANY(%s)",
        list(ALL),
    ) == [(False,) * 6]


def test_the_login_role_takes_the_roles_and_inherits_none():
    """Policies of an inherited role would apply to the owner."""
    may_set = "SET" if connection.pg_version >= 160_000 else "MEMBER"  # a member may, before there was that right
    for role in ALL:
        assert rows(
            "SELECT pg_has_role(current_user, %s, %s), pg_has_role(current_user, %s, 'USAGE')", role, may_set, role
        ) == [(True, False)]


@pytest.mark.parametrize("table", ["audit_logs", "audit_leaves", "audit_checkpoints", "audit_prunings"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_trail_is_append_only_even_for_its_owner(table, change, ada):
    events = {
        (kind, event)
        for kind, event in rows(
            "SELECT action_timing, event_manipulation FROM information_schema.triggers WHERE event_object_table = %s",
            table,
        )
    }
    assert {("BEFORE", "UPDATE"), ("BEFORE", "DELETE")} <= events
    if table == "audit_logs":
        refused = pytest.raises(DatabaseError, match="append-only")
        with unprotected(table) as cursor, refused, transaction.atomic():
            cursor.execute(change.format(table, "id", "id"))
    elif change.startswith("TRUNCATE"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(change.format(table))


def test_no_migration_is_missing():
    out = io.StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert out.getvalue() == "No changes detected\n"


# System checks: what the catalog cannot say before it is too late.


def ids(model):
    return [problem.id for problem in problems_of(model)]


@isolate_apps("memories")
def test_a_model_of_peoples_rows_without_walls_is_an_error():
    class Note(UserOwned):
        class Meta:
            app_label = "memories"

    assert ids(Note) == ["vibe.E001", "vibe.E002"]


@isolate_apps("memories")
def test_a_reference_without_its_owner_is_an_error():
    from memories.models import Conversation

    class Plain(UserOwned):
        conversation = models.ForeignKey(Conversation, models.CASCADE)
        others = models.ManyToManyField(Conversation, related_name="+")

        class Meta:
            app_label = "memories"
            constraints = (
                RowSecurity(name="plain_walls"),
                CompositeReference(name="plain_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            )

    class Carried(UserOwned):
        conversation = OwnedForeignKey(Conversation)

        class Meta:
            app_label = "memories"
            constraints = (
                RowSecurity(name="carried_walls"),
                CompositeReference(
                    name="carried_conversation", columns=["user_id", "conversation_id"], to="memories.Conversation"
                ),
            )

    assert (ids(Plain), ids(Carried)) == (["vibe.E002", "vibe.E002"], [])


@isolate_apps("memories")
@pytest.mark.parametrize("columns", [None, ["id", "text"]])
def test_a_sealed_column_that_support_may_read_is_an_error(columns):
    class Letter(UserOwned):
        text = SealedField()

        class Meta:
            app_label = "memories"
            constraints = (
                RowSecurity(name="letter_walls"),
                CompositeReference(name="letter_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
                Privileges(name="letter_for_support", role=SUPPORT, verbs={"SELECT": columns}),
            )

    assert ids(Letter) == ["vibe.E003"]


@isolate_apps("memories")
def test_a_reference_to_a_person_from_a_model_that_is_not_theirs_is_an_error():
    from accounts.models import User

    class Visit(models.Model):
        who = models.ForeignKey(User, models.CASCADE)

        class Meta:
            app_label = "memories"

    assert ids(Visit) == ["vibe.E004"]


def test_every_model_of_the_project_passes():
    assert [problem for model in apps.get_models() for problem in problems_of(model)] == []


def test_a_login_role_that_passes_row_security_by_is_warned_of(settings):
    assert list(unrestricted_login_roles(connection)) == []

    if embedded_server():
        with embedded_server().connect() as superuser:
            assert [each.id for each in unrestricted_login_roles(superuser)] == ["vibe.W001"]
