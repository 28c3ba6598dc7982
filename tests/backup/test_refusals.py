"""What a backup must never be: short of rows, short of walls, or half put back."""

from __future__ import annotations

import io
import os
import secrets
from types import SimpleNamespace

import pytest
from django.db import connection
from psycopg import sql

from accounts.keys.master_key import ring
from accounts.models import User
from audit.models import AuditLog
from tests.backup.conftest import databases, quiet, superuser
from tests.cast import TESTER
from vibe.backup import dumping, inspection, restoring, server
from vibe.backup.errors import BackupFailed
from vibe.backup.programs import program
from vibe.backup.services import drill, keys_beside, restore, take
from vibe.core.crypto.errors import MasterKeyMissing
from vibe.core.db.embedded.server import OWNER
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.migrating import retired
from vibe.core.db.scopes import as_system
from vibe.core.errors import InputError

pytestmark = pytest.mark.usefixtures("leaves_no_database")


@pytest.fixture
def as_owner(monkeypatch):
    """The application's own login, which forced row-level security holds, for everything."""
    mine = server.configured()
    reached = {**mine.reached, "user": OWNER}
    monkeypatch.setattr(server, "configured", lambda **_: server.Server(reached, OWNER))


def put_back(backup, **options):
    return restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet, **options)


def test_the_owner_cannot_take_a_backup_that_lacks_people(two_people, as_owner, tmp_path):
    with pytest.raises(BackupFailed, match="row-level security"):
        take(path=tmp_path / "short", actor=TESTER, told=quiet)
    assert list(tmp_path.iterdir()) == []
    with as_system():
        assert AuditLog.objects.filter(action="backup.take", outcome="failed").count() == 1


def test_a_role_that_does_not_see_every_row_is_refused_by_name(two_people, monkeypatch, settings):
    monkeypatch.setattr(server, "embedded_server", lambda: None)
    settings.BACKUP_DATABASE_URL = ""
    with pytest.raises(DatabaseNotReady, match="BYPASSRLS"):
        server.configured()


def test_each_privilege_that_a_restore_lacks_is_named_before_anything_is_done(two_people):
    present = str(connection.settings_dict["NAME"])
    with superuser() as postgres, postgres.transaction(force_rollback=True):
        postgres.execute("CREATE ROLE poor")
        postgres.execute("SET LOCAL ROLE poor")
        with pytest.raises(DatabaseNotReady) as refused:
            restoring.require_privileges(postgres, OWNER, present)
        for typed in (
            "ALTER ROLE poor CREATEDB;",
            f"GRANT {OWNER} TO poor;",
            f"ALTER DATABASE {present} OWNER TO poor;",
        ):
            assert typed in str(refused.value)
        postgres.execute("RESET ROLE")
        restoring.require_privileges(postgres, OWNER, present)  # the control: a superuser lacks none


def test_a_privilege_that_turns_out_to_be_missing_is_named(backup, monkeypatch, leaves_no_database):
    def without(here):
        with here.transaction(force_rollback=True):
            here.execute("CREATE ROLE poor")
            here.execute("SET LOCAL ROLE poor")
            here.execute("CREATE TABLE public.t ()")

    monkeypatch.setattr(restoring, "make_vector", without)
    with pytest.raises(
        DatabaseNotReady, match="lacks a privilege, and nothing was replaced: permission denied for schema"
    ):
        put_back(backup)


def test_rows_that_a_dump_left_out_are_missed(two_people, tmp_path, monkeypatch, leaves_no_database):
    """pg_dump's --enable-row-security is the trap: it succeeds, and leaves out what the role does not see."""
    mine = server.configured()
    path = tmp_path / "short"
    monkeypatch.setattr(dumping, "DUMP_ONLY", (*dumping.DUMP_ONLY, "--enable-row-security", "--role=vibe"))
    take(path=path, actor=TESTER, told=quiet)
    found = drill(path=path, keys=keys_beside(path), actor=TESTER, told=quiet)
    assert [each.passed for each in found] == [False]
    assert "rows are not those of the backup" in found[0].said and "users: 0 rows instead of 2" in found[0].said
    with pytest.raises(BackupFailed, match="rows are not those"):
        put_back(path)
    assert databases() == leaves_no_database
    assert mine.owner == OWNER
    with as_system():
        assert User.objects.filter(is_staff=False).count() == 2


def test_a_wall_that_is_missing_is_missed(backup, monkeypatch, leaves_no_database):
    original = restoring.put_back

    def forgetful(at, name, archive, **options):
        original(at, name, archive, **options)
        if options["sections"] == ["post-data"]:
            with at.connect(name) as here:
                here.execute("ALTER TABLE encrypted_memories DISABLE ROW LEVEL SECURITY")

    monkeypatch.setattr(restoring, "put_back", forgetful)
    with pytest.raises(BackupFailed, match="encrypted_memories: lacks row-level security forced"):
        put_back(backup)
    assert databases() == leaves_no_database


def test_a_schema_that_others_may_use_is_missed_where_it_is_not_granted_as_it_was(two_people, tmp_path, monkeypatch):
    path, name = tmp_path / "vibe.backup", connection.settings_dict["NAME"]
    with superuser(name) as here:
        here.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
        try:
            take(path=path, actor=TESTER, told=quiet)
        finally:
            here.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
    assert all(each.passed for each in drill(path=path, keys=keys_beside(path), actor=TESTER, told=quiet))
    monkeypatch.setattr(restoring, "grant_again", lambda *_, **__: None)
    with pytest.raises(BackupFailed, match="schema public: has public may USAGE"):
        put_back(path)


def test_a_schema_granted_to_a_role_that_is_not_there_is_said_so(two_people, tmp_path):
    path, role = tmp_path / "vibe.backup", sql.Identifier("reporting " + connection.settings_dict["NAME"])
    with superuser(connection.settings_dict["NAME"]) as here:
        here.execute(sql.SQL("CREATE ROLE {0}; GRANT USAGE ON SCHEMA public TO {0}").format(role))
        try:
            take(path=path, actor=TESTER, told=quiet)
        finally:
            here.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))
    with pytest.raises(BackupFailed, match=r'cannot be granted as it was: role "reporting .*" does not exist'):
        put_back(path)


def test_a_backup_of_an_earlier_version_says_nothing_of_the_schema(two_people, tmp_path, monkeypatch):
    path = tmp_path / "vibe.backup"
    with monkeypatch.context() as earlier:
        known = inspection.walls
        without = lambda here: {table: lines for table, lines in known(here).items() if table != inspection.SCHEMA}  # noqa: E731
        earlier.setattr(inspection, "walls", without)
        take(path=path, actor=TESTER, told=quiet)
    assert all(each.passed for each in drill(path=path, keys=keys_beside(path), actor=TESTER, told=quiet))


@pytest.fixture
def older_server(monkeypatch):
    """The server, taken for older than it is: pg_restore is not let at it."""
    with superuser() as here:
        actual = server.major(here)
    for module, name in ((dumping, "server_major"), (server, "major")):
        monkeypatch.setattr(module, name, lambda _: actual - 1)
    return actual


def test_on_an_older_server_a_backup_comes_back_through_psql(backup, older_server):
    assert all(each.passed for each in drill(path=backup, keys=keys_beside(backup), actor=TESTER, told=quiet))


HEAD = rb"""--
-- PostgreSQL database dump
--

\restrict x

SET old = 0;
SET new = 0;
SELECT pg_catalog.set_config('search_path', '', false);

SET ROLE vibe;
"""
ROWS = rb"""COPY public.t (text) FROM stdin;
SET new = 0;
\.
"""


def test_settings_that_the_server_does_not_know_are_left_out_at_the_head_alone():
    read, written = os.pipe()
    dumping.pass_on(io.BytesIO(HEAD + ROWS), os.fdopen(written, "wb"), {"old"})
    with os.fdopen(read, "rb") as passed:
        assert passed.read() == HEAD.replace(b"SET new = 0;\n", b"") + ROWS


@pytest.fixture
def in_the_way(monkeypatch):
    """Something in each new database that a backup cannot be put beside."""
    made = restoring.make_vector

    def make_vector(here):
        made(here)
        here.execute("CREATE TABLE public.users (id int)")

    monkeypatch.setattr(restoring, "make_vector", make_vector)


def test_an_older_server_that_cannot_take_it_says_so(backup, older_server, in_the_way):
    hint = rf"psql failed: ERROR:  relation .* of PostgreSQL {older_server}, this server is {older_server - 1}"
    with pytest.raises(BackupFailed, match=hint):
        put_back(backup)


def test_what_a_newer_pg_dump_may_have_kept_is_said_so(older_server, backup, in_the_way):
    hint = rf"failed: .* of PostgreSQL {older_server - 1}, taken by pg_dump \d+.* where pg_dump {older_server - 1} is "
    with pytest.raises(BackupFailed, match=hint):
        put_back(backup)


def test_versions_that_are_the_same_are_not_blamed(backup, in_the_way):
    version = connection.pg_version // 10_000
    if program("pg_dump", major=version).major > version:
        pytest.skip(f"no pg_dump {version} is installed")
    with pytest.raises(BackupFailed, match=r"already exists$"):
        put_back(backup)


def test_a_restore_that_fails_in_the_middle_leaves_everything_as_it_was(backup, monkeypatch, leaves_no_database):
    monkeypatch.setattr(restoring, "rename", fails_the_second_time(restoring.rename))
    with pytest.raises(ZeroDivisionError):
        put_back(backup)
    assert databases() == leaves_no_database
    with as_system():
        assert User.objects.filter(is_staff=False).count() == 2


def fails_the_second_time(rename):
    """The one of two renames that would leave no database under the name."""
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        rename(*arguments)
        if len(calls) == 2:
            raise ZeroDivisionError

    return failing


def test_a_backup_of_a_newer_version_is_refused(backup, monkeypatch):
    known = SimpleNamespace(disk_migrations={("accounts", "0001_initial"): None})
    monkeypatch.setattr(retired, "MigrationLoader", lambda *_: known)
    with pytest.raises(InputError, match="unknown here"):
        put_back(backup)


def test_a_backup_that_could_not_be_migrated_is_refused(backup, monkeypatch):
    monkeypatch.setattr(retired, "RETIRED", frozenset({("accounts", "0001_initial")}))
    with pytest.raises(InputError, match=r"accounts\.0001_initial is gone"):
        put_back(backup)


def test_a_backup_whose_master_key_is_not_there_is_refused(backup, settings):
    old = ring().current.id.hex()
    settings.ENCRYPTION_KEY = secrets.token_hex(32)
    with pytest.raises(MasterKeyMissing, match=old):
        put_back(backup)


def test_an_empty_database_needs_no_consent_and_is_not_kept(backup, leaves_no_database):
    name = connection.settings_dict["NAME"]
    connection.close()
    with superuser() as postgres:
        aside = sql.Identifier(name + "_aside")
        postgres.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), aside))
        postgres.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
    done = restore(path=backup, keys=keys_beside(backup), replace=False, actor=TESTER, told=quiet)
    assert (done.before, databases()) == ("", [name, name + "_aside"])
    with superuser(name) as here:
        assert inspection.counts(here)["users"] == 2


def test_what_failed_is_said_without_what_could_be_a_row():
    said = (
        'pg_restore: error: COPY failed for table "users": ERROR:  invalid input syntax for type uuid: "Ada Tavares"\n'
        'CONTEXT:  COPY users, line 3: "Ada Tavares"\nDETAIL:  Key (email)=(ada@example.com) is there.'
    )
    assert "Ada" not in dumping.complaint(said) and "ada@" not in dumping.complaint(said)
    assert dumping.complaint(said).startswith('error: COPY failed for table "users": ERROR:  invalid input')
