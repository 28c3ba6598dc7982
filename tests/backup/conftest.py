"""A database with people and stories in it, and one backup of it, for the tests to spoil and put back."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from accounts.people.services.people import Profile, ensure_person
from tests.cast import TESTER
from vibe.backup import server
from vibe.backup.services import take
from vibe.core.db.configured import embedded_server


def quiet(_step, _total):
    """Progress that nobody watches."""
    return lambda _: None


def superuser(database="postgres"):
    """A connection of the one that puts backups back: the embedded server's, or that of BACKUP_DATABASE_URL."""
    return server.configured(for_restoring=True).connect(database)


def require_superuser():
    if not (embedded_server() or settings.BACKUP_DATABASE_URL):
        pytest.skip("makes and renames databases: needs the embedded server, or BACKUP_DATABASE_URL of a superuser")


@pytest.fixture
def two_people(committed, tell, settings, tmp_path_factory):
    """Two people who said something, committed for real."""
    settings.ERASURES_FILE = tmp_path_factory.mktemp("erasures") / "erasures.jsonl"
    require_superuser()
    profiles = (Profile(uid, f"{uid}@example.com", uid.title()) for uid in ("ada", "jonas"))
    people = {each.firebase_uid: ensure_person(profile=each, actor=TESTER) for each in profiles}
    for uid, user_id in people.items():
        tell(user_id, "first", [(uid.title(), "I moved to Lisbon."), ("Companion", "How is it there?")])
    return people


@pytest.fixture
def backup(two_people, tmp_path):
    path = tmp_path / "vibe.backup"
    take(path=path, actor=TESTER, told=quiet)
    return path


def databases():
    """The names of those of this test on the server."""
    with superuser() as postgres:
        found = postgres.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1",
            [connection.settings_dict["NAME"]],
        )
        return [name for (name,) in found.fetchall()]


@pytest.fixture
def leaves_no_database():
    """What the test made beside the tests' own database is dropped; what it found is given back."""
    require_superuser()
    before = databases()
    yield before
    connection.close()
    with superuser() as postgres:
        for name in set(databases()) - set(before):
            postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
