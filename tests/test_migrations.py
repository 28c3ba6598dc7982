"""Every migration can be taken back: to nothing and forward again the schema is the same, to the letter."""

from __future__ import annotations

import re
import subprocess
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection
from psycopg import sql

from accounts.keys.master_key import ring
from accounts.models.one_time_device import OneTimeDevice, secret_address
from tests.processes import manage, url
from vibe.core.crypto.seal import Sealed
from vibe.core.db.configured import embedded_server
from vibe.core.db.embedded.files import BINARIES
from vibe.core.db.embedded.server import OWNER

NAME = "vibe_there_and_back"
STAFF = UUID(int=7)
OURS = {"accounts", "memories", "stories", "audit"}


@pytest.fixture
def database(django_db_setup, django_db_blocker):
    """An empty database of its own, on the embedded server."""
    server = embedded_server()
    if not server:
        pytest.skip("makes a database of its own, on the embedded server")
    with django_db_blocker.unblock(), server.connect("postgres") as postgres:
        name = sql.Identifier(f"{NAME}_{connection.settings_dict['NAME']}")
        postgres.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        postgres.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
        yield name.as_string().strip('"')
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def schema(database):
    """The whole schema as SQL, without what differs from dump to dump."""
    command = [str(BINARIES / "pg_dump"), "-s", "-h", str(embedded_server().sockets), "-U", OWNER, database]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", text)


def migrate(database, *arguments):
    done = manage("migrate", *arguments, "-v", "0", DATABASE_URL=url(name=database))
    assert done.returncode == 0, done.stderr


def test_to_nothing_and_back_is_the_same_schema(database):
    migrate(database)
    before = schema(database)
    migrate(database, "vibe_db", "zero")
    with embedded_server().connect(database) as postgres:
        tables = postgres.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        left = {name for (name,) in tables.fetchall()}
        functions = postgres.execute("SELECT proname FROM pg_proc WHERE proname ~ '^(audit|vibe)_'").fetchall()
        held = postgres.execute(
            "SELECT refobjid::regrole, objid::regclass FROM pg_shdepend JOIN pg_database d ON d.oid = dbid "
            "JOIN pg_roles r ON r.oid = refobjid WHERE datname = current_database() AND rolname ~ '^vibe_'"
        ).fetchall()
    ours = {m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.app_label in OURS}
    assert len(ours) > 10
    assert (left & ours, functions, held) == (set(), [], [])
    assert "vibe_" not in schema(database)
    migrate(database)
    assert schema(database) == before


def test_a_database_of_before_is_refused_and_left_as_it_is(database):
    """What can be seen of it is a migration that is gone; the control is that without it `migrate` goes through."""
    migrate(database)
    before = schema(database)
    with embedded_server().connect(database) as postgres:
        postgres.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('stories', '0004_next_vectors', now())"
        )
    for command in (["migrate", "-v", "0"], ["serve"]):
        done = manage(*command, DATABASE_URL=url(name=database), DEBUG="true")
        assert done.returncode == 1, command
        assert "stories.0004_next_vectors is gone" in done.stderr
        assert "Export each person with the version that wrote it" in done.stderr
        assert "Traceback" not in done.stderr
    assert schema(database) == before
    with embedded_server().connect(database) as postgres:
        postgres.execute("DELETE FROM django_migrations WHERE app = 'stories' AND name = '0004_next_vectors'")
    migrate(database)


SECRET = "3132333435363738393031323334353637383930"


def test_secrets_of_one_time_codes_are_taken_over_wrapped_and_given_back(database):
    migrate(database)
    migrate(database, "accounts", "0007")  # and with it the table that 0014 drops is there
    with embedded_server().connect(database) as postgres:
        postgres.execute(
            "INSERT INTO users (id, email, email_verified, password, is_active, is_staff, is_superuser, updated_at) "
            "VALUES (%s, 'boss@example.com', false, '!', true, true, true, now())",
            [STAFF],
        )
        postgres.execute(
            "INSERT INTO otp_totp_totpdevice (user_id, name, confirmed, key, step, t0, digits, tolerance, drift, "
            "last_t, throttling_failure_count) VALUES (%s, 'app', true, %s, 30, 0, 6, 1, 1, 42, 0)",
            [STAFF, SECRET],
        )
        migrate(database)
        assert postgres.execute("SELECT to_regclass('otp_totp_totpdevice')").fetchone() == (None,)
        row = postgres.execute("SELECT id, staff_id, secret, drift, last_step FROM one_time_devices").fetchone()
        device = OneTimeDevice(row[0], row[1])
        assert ring().unwrap(Sealed(row[2]), secret_address(device)).hex() == SECRET
        assert row[3:] == (1, 42)
        migrate(database, "accounts", "0007")
        assert postgres.execute("SELECT key, drift, last_t FROM otp_totp_totpdevice").fetchall() == [(SECRET, 1, 42)]
