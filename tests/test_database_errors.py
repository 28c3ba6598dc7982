"""What is said when the database is not as needed: the fact, its name, and what to type. Never a secret."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections
from psycopg import sql

from tests.processes import manage, url
from vibe.core.db import requirements, roles
from vibe.core.db.backend.base import DatabaseWrapper, explain_failure
from vibe.core.db.configured import database, embedded_server
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.errors import ConfigurationError

LIMITED = "vibe_limited"  # a login role that may make nothing but tables of its own


def wrapper(**changes):
    """A connection of our backend that was not opened yet."""
    return DatabaseWrapper({**connection.settings_dict, **changes}, alias="limited")


@pytest.mark.skipif(settings.DATABASE_POOLER, reason="these are the server's own words")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"HOST": "/nowhere"}, r"^No PostgreSQL answers at /nowhere:5432 \(No such file or directory\)\. Start it"),
        ({"NAME": "absent"}, r"^Database 'absent' does not exist at .*:5432\. Create it: createdb absent$"),
        (
            {"USER": "stranger"},
            r'refused user \'stranger\' \(role "stranger" does not exist\)\. Check user and password',
        ),
    ],
)
def test_a_connection_that_fails_says_what_to_do(changes, said):
    """It is both ours, which says it plainly, and Django's, which makemigrations and others know how to bear."""
    with pytest.raises(DatabaseNotReady, match=said) as caught:
        wrapper(**changes).ensure_connection()
    assert isinstance(caught.value, OperationalError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'connection failed: FATAL:  password authentication failed for user "vibe"',
            "PostgreSQL at db:5433 refused user 'vibe' (password authentication failed for user \"vibe\"). "
            "Check user and password in DATABASE_URL.",
        ),
        (
            'connection to server at "10.0.0.7", port 5433 failed: FATAL:  no pg_hba.conf entry for host "10.0.0.9"',
            "PostgreSQL at db:5433 refused user 'vibe' (no pg_hba.conf entry for host \"10.0.0.9\"). "
            "Check user and password in DATABASE_URL.",
        ),
        (
            "connection failed: FATAL:  sorry, too many clients already",
            "PostgreSQL at db:5433 has no free connection. Raise max_connections, or put a pooler in front.",
        ),
        (
            "connection failed: FATAL:  the database system is starting up",
            "PostgreSQL at db:5433 refused the connection: the database system is starting up.",
        ),
        (
            "connection failed: FATAL:  Datenbank »x« existiert nicht",
            "PostgreSQL at db:5433 refused the connection: Datenbank »x« existiert nicht.",
        ),
        (
            'connection to server at "10.0.0.7", port 5433 failed: Connection refused\n'
            "\tIs the server running on that host and accepting TCP/IP connections?",
            "No PostgreSQL answers at db:5433 (Connection refused). "
            "Start it, or correct host and port in DATABASE_URL.",
        ),
        (
            "[Errno -2] Name or service not known",
            "No PostgreSQL answers at db:5433 ([Errno -2] Name or service not known). "
            "Start it, or correct host and port in DATABASE_URL.",
        ),
    ],
)
def test_libpqs_words_are_told_apart(text, said):
    assert (
        explain_failure(text, {"HOST": "db", "PORT": 5433, "NAME": "x", "USER": "vibe", "PASSWORD": "hunter2"}) == said
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://vibe:p%40ss@db:5433/vibe", ("db", "5433", "vibe", "vibe", "p@ss")),
        ("postgresql://db/vibe", ("db", "", "vibe", "", "")),
        ("postgres://vibe:w@%2Frun%2FPostgreSQL/vibe", ("/run/PostgreSQL", "", "vibe", "vibe", "w")),
        ("postgres://vibe@%2Frun%2FPostgreSQL:5433/vibe", ("/run/PostgreSQL", "5433", "vibe", "vibe", "")),
        ("postgres://vibe@/vibe?host=/run/postgresql&port=5433", ("/run/postgresql", "5433", "vibe", "vibe", "")),
        ("postgres:////run/postgresql/vibe", ("/run/postgresql", "", "vibe", "", "")),
        ("postgres:///vibe", ("", "", "vibe", "", "")),
        ("postgres://vibe@[::1]:5433/vibe", ("::1", "5433", "vibe", "vibe", "")),
    ],
)
def test_a_database_url_is_read_with_every_way_to_write_a_host(given, expected):
    found = database(given)
    assert tuple(str(found[part]) for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD")) == expected
    assert (found["ENGINE"], found["OPTIONS"]) == ("vibe.core.db.backend", {})


def test_options_of_a_database_url_stay_options():
    assert database("postgres://db/vibe?sslmode=verify-full&connect_timeout=3")["OPTIONS"] == {
        "sslmode": "verify-full",
        "connect_timeout": 3,
    }


@pytest.mark.parametrize(
    "given",
    [
        "mysql://vibe:hunter2@db/vibe",
        "hunter2",
        "postgres://vibe:hunter2@db",
        "postgres://vibe:hunter2@db:54x/vibe",
        "sqlite:///x",
    ],
)
def test_a_database_url_that_cannot_be_used_is_named_and_not_shown(given):
    with pytest.raises(
        ConfigurationError, match=r"^DATABASE_URL .*postgres://user:password@host:5432/database"
    ) as caught:
        database(given)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("version", "fits"), [(130011, False), (96024, False), (140000, True), (180003, True)])
def test_a_server_that_is_too_old_is_refused(version, fits):
    if fits:
        requirements.require_server(version)
    else:
        with pytest.raises(DatabaseNotReady, match=r"is too old: Vibe needs 14 or newer"):
            requirements.require_server(version)


@pytest.mark.django_db
def test_the_version_is_asked_on_every_new_connection():
    opened = wrapper()
    opened.__dict__["pg_version"] = 130011
    try:
        with pytest.raises(DatabaseNotReady, match="PostgreSQL 13 is too old"):
            opened.ensure_connection()
    finally:
        opened.close()


@pytest.fixture
def limited(django_db_setup, django_db_blocker):
    """A database whose owner may create neither roles nor extensions, without pgvector: (ours, the superuser's)."""
    server = embedded_server()
    if not server:
        pytest.skip("makes a database of its own, on the embedded server")
    name = f"{LIMITED}_{connection.settings_dict['NAME']}"
    identifier, role = sql.Identifier(name), sql.Identifier(name)
    with server.connect("postgres") as postgres, django_db_blocker.unblock():
        postgres.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        postgres.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
        postgres.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        postgres.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(identifier, role))
        ours = wrapper(NAME=name, USER=name)
        connections["limited"] = ours
        try:
            with server.connect(name) as superuser:
                yield ours, superuser
        finally:
            ours.close()
            del connections["limited"]
            postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
            postgres.execute(sql.SQL("DROP ROLE {}").format(role))


def refusal(work, ours):
    with pytest.raises(DatabaseNotReady) as caught:
        work(None, SimpleNamespace(connection=ours))
    return str(caught.value)


def test_a_database_is_brought_from_nothing_to_ready_by_doing_what_the_messages_say(limited):
    ours, superuser = limited
    said = refusal(requirements.require, ours)
    assert said.startswith("This user may not create the extension pgvector.")
    superuser.execute(typed(said))

    superuser.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    assert refusal(requirements.require, ours).startswith("pgvector 0.7.4 is too old: Vibe needs 0.8 or newer.")
    superuser.execute("UPDATE pg_extension SET extversion = '0.10.0' WHERE extname = 'vector'")
    requirements.require(None, SimpleNamespace(connection=ours))  # the roles are there, of another database

    said = refusal(roles.create, ours)
    assert "may not take the roles Vibe works with" in said
    superuser.execute(typed(said))
    roles.create(None, SimpleNamespace(connection=ours))
    roles.create(None, SimpleNamespace(connection=ours))  # repeats harmlessly
    with ours.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(%s, 'SET'), pg_has_role(%s, 'USAGE')", [roles.USER, roles.USER])
        assert cursor.fetchone() == (True, False)
    roles.drop(None, SimpleNamespace(connection=ours))


def typed(message):
    """The statement that a message says to type."""
    return message.partition("s superuser")[2].partition(": ")[2]


def test_a_user_who_may_not_make_tables_is_told_before_the_first_migration(limited):
    ours, superuser = limited
    superuser.execute(f"ALTER DATABASE {ours.settings_dict['NAME']} OWNER TO postgres")
    with pytest.raises(DatabaseNotReady, match=r"may not make tables in database .* As superuser, .* GRANT") as caught:
        ours.prepare_database()
    superuser.execute(typed(str(caught.value)))
    ours.prepare_database()


def test_a_user_who_may_not_create_roles_is_told_so(limited, monkeypatch):
    ours, superuser = limited
    monkeypatch.setattr(requirements, "ALL", (*roles.ALL, "vibe_not_there"))
    superuser.execute("CREATE EXTENSION vector")
    assert "may not create the roles" in refusal(requirements.require, ours)


def test_how_a_login_role_joins_without_inheriting_depends_on_the_version():
    every = ", ".join(roles.ALL)
    assert roles.membership_sql(180003, "x", inherits=True) == [f"GRANT {every} TO x WITH INHERIT FALSE, SET TRUE"]
    assert roles.membership_sql(150018, "x", inherits=False) == [f"GRANT {every} TO x"]
    assert roles.membership_sql(150018, "x", inherits=True) == [
        "GRANT ALL ON SCHEMA public TO x WITH GRANT OPTION",
        f"GRANT {every} TO x",
        "ALTER ROLE x NOINHERIT",
    ]


@pytest.mark.usefixtures("committed")
def test_a_superuser_as_login_role_is_held_by_every_scope():
    if not embedded_server():
        pytest.skip("needs a superuser")
    script = (
        "from uuid import uuid4; from django.db import connection; from vibe.core.db.scopes import *; "
        "from memories.models import Memory\n"
        "with as_user(uuid4()), connection.cursor() as cursor:\n"
        "    cursor.execute('SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user')\n"
        "    print(cursor.fetchone(), Memory.objects.count())"
    )
    done = manage("shell", "-v", "0", "-c", script, DATABASE_URL=url(user="postgres"))
    assert done.stdout.strip() == "('vibe_user', False) 0", done.stderr


def test_a_command_without_a_database_ends_with_one_line_and_no_traceback(tmp_path):
    done = manage("migrate", DATABASE_URL=f"postgres://vibe:hunter2@/vibe?host={tmp_path}")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No PostgreSQL answers at ") and done.stderr.count("\n") == 1, done.stderr
    assert "hunter2" not in done.stderr
