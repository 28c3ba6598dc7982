"""Straight at the database, as the role that requests of staff have."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import DatabaseError, connection, models, transaction

from memories.models import Conversation, Memory
from stories.models import Entity, Story
from tests.attacks.admin.stage import UNREADABLE, readable, refused, undone
from vibe.core.db.configured import embedded_server
from vibe.core.db.scopes import as_support

STATEMENTS = (
    "SELECT {column} FROM {table}",
    "SELECT count(*) FROM {table} WHERE {column} IS NOT NULL",
    "SELECT id FROM {table} ORDER BY {column}",
    "SELECT md5({column}::text) FROM {table}",
    "SELECT {table}::text FROM {table}",
    "SELECT to_jsonb({table}) FROM {table}",
    "UPDATE {table} SET updated_at = now() RETURNING {column}",
    "COPY {table} ({column}) TO STDOUT",
    "CREATE VIEW peep AS SELECT {column} FROM {table}",
)
CONTENT = [name for name in UNREADABLE if name.split(".")[1] in ("title", "payload", "text", "wrapped")]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("name", CONTENT)
def test_statements_as_support(cast, name, statement):
    model, column = UNREADABLE[name]
    refused(statement.format(table=model._meta.db_table, column=column))


@pytest.mark.parametrize("statement", [s for s in STATEMENTS if s.startswith("SELECT")])
@pytest.mark.parametrize("name", CONTENT)
def test_control_with_the_privilege_given_they_answer(cast, name, statement):
    model, column = UNREADABLE[name]
    table = model._meta.db_table
    with readable(table), as_support(), connection.cursor() as cursor:
        cursor.execute(statement.format(table=table, column=column))
        assert cursor.fetchall()


@pytest.mark.parametrize("name", UNREADABLE)
def test_each_unreadable_column_as_support(cast, name):
    model, column = UNREADABLE[name]
    refused(f"SELECT {column} FROM {model._meta.db_table} LIMIT 1")
    with as_support(), connection.cursor() as cursor:  # the control: the role is not refused everything
        cursor.execute(f"SELECT id FROM {model._meta.db_table} LIMIT 1")


OF_THE_OWNER = (
    "ALTER TABLE conversations DISABLE ROW LEVEL SECURITY",
    "GRANT SELECT ON conversations TO vibe_support",
    "DROP TRIGGER access_grants_forward ON access_grants",
    "DELETE FROM access_grants",
    "TRUNCATE access_grants",
    "SELECT wrapped FROM user_keys",
    "SELECT password FROM users",
    "SELECT secret FROM one_time_devices",
)
OF_A_SUPERUSER = (
    "SELECT * FROM pg_authid",
    "SELECT stavalues1 FROM pg_statistic",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
)


@pytest.mark.parametrize(
    "statement",
    [
        *OF_THE_OWNER,
        *OF_A_SUPERUSER,
        "INSERT INTO conversations (id) VALUES (gen_random_uuid())",
        "SET SESSION AUTHORIZATION postgres",
    ],
)
def test_escapes_as_support(cast, statement):
    refused(statement)


@pytest.mark.parametrize("statement", OF_THE_OWNER)
def test_control_the_owner_may(cast, statement):
    with undone(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("statement", OF_A_SUPERUSER)
def test_control_a_superuser_may(cast, statement):
    if not embedded_server():
        pytest.skip("the server's superuser is ours on the embedded server only")
    with (
        embedded_server().connect(connection.settings_dict["NAME"]) as server,
        server.transaction(force_rollback=True),
    ):
        server.execute(statement)


def test_an_admin_that_asks_for_everything_is_refused(cast, monkeypatch):
    """With the deferring off it is an error, and still no leak."""
    for model in (Conversation, Memory, Story, Entity):
        monkeypatch.setattr(type(admin.site._registry[model]), "get_queryset", admin.ModelAdmin.get_queryset)
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), as_support():
            list(models.QuerySet(model))


def test_control_with_the_privilege_given_it_gets_everything(cast):
    with readable("conversations"), as_support():
        assert [row.title for row in models.QuerySet(Conversation)]
