"""The tests' databases: a template for each set of migrations, a copy for each process, and how one is emptied."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection

from tests.protections import unprotected
from vibe.core.db.roles import revoke_temporary

ROOT = Path(__file__).resolve().parent.parent
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "main")
# What migrations and their signals run, beside the migrations themselves.
RUN_BY_MIGRATIONS = (
    "vibe/core",
    "audit/retention",
    "accounts/keys/master_key.py",
    "accounts/staff/groups.py",
    "requirements.lock",
)


def connect_to_own_database(*, create: bool, reuse: bool) -> str:
    """Connect this process to a copy of the template, which is migrated only where it is of other migrations.

    `create` migrates in any case; `reuse` takes up the copy that an earlier run kept. Gives the name of the database
    outside of tests, for `destroy_test_db`.
    """
    creation, own = connection.creation, connection.settings_dict
    outside, template, version = own["NAME"], creation._get_test_db_name(), schema_version()
    with (settings.STATE_DIR / "test-databases.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if create or version_of(template) != version:
            creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            note_version(template, version)
        own["NAME"] = template
        copy = creation.get_test_db_clone_settings(PROCESS)["NAME"]
        kept = reuse and version_of(copy) == version
        creation.clone_test_db(PROCESS, verbosity=0, autoclobber=True, keepdb=kept)
        own["NAME"] = copy
        with connection.cursor() as cursor:
            revoke_temporary(cursor)  # a copy does not have the grants of the database itself
        note_version(copy, version)
    return outside


def schema_version() -> str:
    """A digest of all that a migrated database is made from."""
    digest = hashlib.sha256()
    for path in sorted(schema_sources()):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def schema_sources() -> set[Path]:
    """The files of migrations and models of every app, and what runs when they are applied."""
    found = {path for name in RUN_BY_MIGRATIONS for path in (ROOT / name, *(ROOT / name).rglob("*.py"))}
    for app in apps.get_app_configs():
        for name in ("migrations", "models", "models.py"):
            found |= {Path(app.path, name), *Path(app.path, name).rglob("*.py")}
    return {path for path in found if path.is_file()}


def version_of(database: str) -> str | None:
    """What a database was made from; None if it is not there or its making was not finished."""
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [database])
        return (cursor.fetchone() or [None])[0]


def note_version(database: str, version: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"COMMENT ON DATABASE {connection.ops.quote_name(database)} IS '{version}'")


def empty_the_database() -> None:
    """As the owner, with the trail's protection off: no role of the application could do this."""
    assert connection.settings_dict["NAME"].startswith("test_"), "this would empty a database that is not the tests'"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
        )
        tables = [name for (name,) in cursor.fetchall()]
    trail = [name for name in tables if name.startswith("audit_")]
    with unprotected(*trail, row_security=False, triggers="USER") as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
