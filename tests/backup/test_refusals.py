"""What a backup must never be: short of rows, short of walls, or half put back."""

from __future__ import annotations

import secrets
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from accounts.models import User
from audit.models import AuditLog
from tests.backup.conftest import databases, quiet
from tests.conftest import TESTER
from vibe.backup import dumping, inspection, restoring, server
from vibe.backup.errors import BackupFailed
from vibe.backup.services import drill, keys_beside, restore, take
from vibe.core.crypto.errors import MasterKeyMissing
from vibe.core.crypto.master import MasterRing
from vibe.core.db.embedded.server import OWNER
from vibe.core.db.errors import DatabaseNotReady
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
    with pytest.raises(DatabaseNotReady, match="BYPASSRLS"):
        server.configured()


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

    def forgetful(at, name, dump, **options):
        original(at, name, dump, **options)
        if options["sections"] == ["post-data"]:
            with at.connect(name) as here:
                here.execute("ALTER TABLE encrypted_memories DISABLE ROW LEVEL SECURITY")

    monkeypatch.setattr(restoring, "put_back", forgetful)
    with pytest.raises(BackupFailed, match="encrypted_memories: lacks row-level security forced"):
        put_back(backup)
    assert databases() == leaves_no_database


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
    monkeypatch.setattr(restoring, "MigrationLoader", lambda *_: known)
    with pytest.raises(InputError, match="unknown here"):
        put_back(backup)


def test_a_backup_whose_master_key_is_not_there_is_refused(backup, settings):
    old = settings.MASTER_RING.current.id.hex()
    settings.MASTER_RING = MasterRing.from_hex(secrets.token_hex(32))
    with pytest.raises(MasterKeyMissing, match=old):
        put_back(backup)


def test_an_empty_database_needs_no_consent_and_is_not_kept(backup, leaves_no_database):
    name = connection.settings_dict["NAME"]
    connection.close()
    with settings.EMBEDDED_SERVER.connect("postgres") as postgres:
        aside = sql.Identifier(name + "_aside")
        postgres.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), aside))
        postgres.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
    done = restore(path=backup, keys=keys_beside(backup), replace=False, actor=TESTER, told=quiet)
    assert (done.before, databases()) == ("", [name, name + "_aside"])
    with settings.EMBEDDED_SERVER.connect(name) as here:
        assert inspection.counts(here)["users"] == 2


def test_what_failed_is_said_without_what_could_be_a_row():
    said = (
        'pg_restore: error: COPY failed for table "users": ERROR:  invalid input syntax for type uuid: "Ada Tavares"\n'
        'CONTEXT:  COPY users, line 3: "Ada Tavares"\nDETAIL:  Key (email)=(ada@example.com) is there.'
    )
    assert "Ada" not in dumping.complaint(said) and "ada@" not in dumping.complaint(said)
    assert dumping.complaint(said).startswith('error: COPY failed for table "users": ERROR:  invalid input')
