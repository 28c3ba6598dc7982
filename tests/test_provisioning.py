"""`print_roles_sql` prints all that an administrator has to run, and with the lowest privileges everything works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.plain_servers import PlainServer, bundled_programs, older_programs, plain_server
from tests.processes import PROJECT
from vibe.core.db.roles import ALL

ADMIN = "boss"
"""As managed services have it: may make roles and databases, and is no superuser."""
LOGIN = "app"
SAMPLE = str(PROJECT / "memories/sample/conversations.jsonl")
OF_THE_ROLES = ("server version", "permissions", "roles", "extensions", "rights in the catalog", "row-level security")
OF_THE_TABLES = ("migrations", "table owners", "sealed columns", "indexes", "system checks", "pooler")


@pytest.fixture(scope="module", params=[bundled_programs, older_programs], ids=["bundled", "older"])
def server(request: pytest.FixtureRequest) -> Iterator[PlainServer]:
    """A server with an administrator as managed services have it."""
    with plain_server(request.param()) as server:
        with server.connect() as superuser:
            superuser.execute(f"CREATE ROLE {ADMIN} LOGIN CREATEROLE CREATEDB")
        with server.connect("template1") as superuser:
            if superuser.info.server_version < 150_000:  # later the owner of the database owns it
                superuser.execute(f"ALTER SCHEMA public OWNER TO {ADMIN}")
        yield server


@pytest.fixture(autouse=True)
def no_roles_are_left(server: PlainServer) -> Iterator[None]:
    """Roles are the server's, so they outlive the database of a test."""
    yield
    with server.connect() as superuser:
        superuser.execute(f"DROP ROLE IF EXISTS {', '.join((*ALL, LOGIN))}")


def type_in(server: PlainServer, printed: str, *, database: str, user: str) -> list[str]:
    """Run what was printed as an administrator does. Return what was refused, which may only be optional."""
    refused, optional = [], False
    with server.connect(database, user) as session:
        for line in printed.splitlines():
            if line.startswith("--"):
                optional = "Optional" in line
            elif line:
                try:
                    session.execute(line.replace("…", "a long password"))  # type: ignore[arg-type]
                except psycopg.errors.InsufficientPrivilege:
                    assert optional, line
                    refused.append(line)
    return refused


def findings(server: PlainServer, database: str, user: str) -> dict[str, list[Any]]:
    told = json.loads(server.manage("doctor", "--json", database=database, user=user).stdout)
    return {each["check"]: each["findings"] for each in told["checks"]}


def test_with_the_lowest_privileges_everything_works(server: PlainServer, tmp_path: Path) -> None:
    with server.database("low", owner=ADMIN):
        printed = server.manage("print_roles_sql", "--login", LOGIN, database="low", user=ADMIN).stdout
        with server.connect() as superuser:
            superuser.execute(f"CREATE ROLE {LOGIN} LOGIN NOINHERIT")
        refused = server.manage("migrate", database="low", user=LOGIN)
        assert refused.returncode != 0, "the control: without what is printed it does not work"
        with server.connect() as superuser:
            superuser.execute(f"DROP ROLE {LOGIN}")
        type_in(server, printed, database="low", user=ADMIN)
        migrated = server.manage("migrate", database="low", user=LOGIN)
        assert migrated.returncode == 0, migrated.stderr
        found = findings(server, "low", LOGIN)
        assert [found[check] for check in (*OF_THE_ROLES, *OF_THE_TABLES) if found[check]] == []
        for command in (
            ("import_conversations", SAMPLE),
            ("build_stories",),
            ("rotate_keys",),
            ("seal_audit",),
            ("verify_audit",),
            ("erase_user", "uid:sample-ada", "--yes"),
        ):
            witness = {"AUDIT_CHECKPOINT_FILE": str(tmp_path / "checkpoints.jsonl")}
            done = server.manage(*command, database="low", user=LOGIN, **witness)
            assert done.returncode == 0, (command, done.stderr[-2000:])
        with server.connect("low", LOGIN) as session:
            traits = (
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            )
            assert session.execute(traits).fetchone() == (False, False, False, False)
        again = server.manage("print_roles_sql", database="low", user=LOGIN).stdout
        assert all(line.startswith("--") or not line for line in without_optional(again)), again


def without_optional(printed: str) -> list[str]:
    """Return the lines of what has to be run."""
    parts = printed.split("\n\n")
    return [line for part in parts if "Optional" not in part for line in part.splitlines()]


def test_what_a_superuser_has_made_is_handed_over(server: PlainServer) -> None:
    with server.database("made", owner="postgres"):
        migrated = server.manage("migrate", database="made", user="postgres")
        assert migrated.returncode == 0, migrated.stderr
        before = findings(server, "made", "postgres")
        assert len([finding for check in (*OF_THE_ROLES, *OF_THE_TABLES) for finding in before[check]]) == 1
        assert "print_roles_sql" in before["roles"][0]["do"]
        printed = server.manage("print_roles_sql", database="made", user="postgres").stdout
        assert type_in(server, printed, database="made", user="postgres") == []
        found = findings(server, "made", "vibe")
        assert [found[check] for check in (*OF_THE_ROLES, *OF_THE_TABLES, "rights of everybody") if found[check]] == []
        assert server.manage("import_conversations", SAMPLE, database="made").returncode == 0
