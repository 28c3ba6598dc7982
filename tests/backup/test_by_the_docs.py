"""Servers set up by the docs, the newest and PostgreSQL 15: from each to each a backup comes back as it was."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.plain_servers import GRANT_SCHEMA, bundled_programs, older_programs, plain_server
from tests.processes import PROJECT
from vibe.backup.archive import verified
from vibe.backup.inspection import SCHEMA, walls
from vibe.backup.programs import major_of
from vibe.core.db import roles
from vibe.core.db.embedded.files import BINARIES
from vibe.core.db.embedded.server import PORT, environment_without_libpq

LINES = 4
BOTH = ("newest", "older")
MAKERS = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
RIGHTS = re.compile("GRANT |REVOKE |CREATE POLICY |CREATE TRIGGER |ALTER .* (OWNER TO|ROW LEVEL|PRIVILEGES)")
LINT = "from vibe.core.db.schema.catalog_lint import findings; print(*findings(), sep='\\n')"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What lies beside a database and is not the tests' own: who was erased, and the checkpoints."""
    folder = tmp_path_factory.mktemp("files")
    return {"ERASURES_FILE": str(folder / "erasures"), "AUDIT_CHECKPOINT_FILE": str(folder / "checkpoints")}


@pytest.fixture(scope="module")
def newest(files, tmp_path_factory):
    with plain_server(bundled_programs()) as at, at.database("source"):
        at.path = filled(at, "source", tmp_path_factory.mktemp("newest"), files)
        yield at


@pytest.fixture(scope="module")
def older(files, tmp_path_factory):
    with plain_server(older_programs()) as at, at.database("source"):
        at.path = filled(at, "source", tmp_path_factory.mktemp("older"), files)
        yield at


def filled(at, database, folder, files):
    """Put people and their stories into a database, by the login role. A backup of it."""
    said = (PROJECT / "memories/sample/conversations.jsonl").read_text().splitlines(keepends=True)[-LINES:]
    (folder / "said.jsonl").write_text("".join(said))
    for command in (["migrate", "-v", "0"], ["import_conversations", str(folder / "said.jsonl")], ["build_stories"]):
        done(at.manage(*command, database=database, **files))
    return backed_up(at, database, folder, files)


def backed_up(at, database, folder, files):
    path = folder / f"{database}.backup"
    done(at.manage("backup", str(path), database=database, **files))
    return path


def done(process):
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def guards(at, database):
    """What guards every table and the schema, and whose they are."""
    with at.connect(database) as superuser:
        return walls(superuser), superuser.execute(MAKERS).fetchall()


def rights(at, database):
    """Every statement of the server's own pg_dump that says who may do what."""
    place = ["-h", str(at.folder), "-p", str(PORT), "-U", "postgres", database]
    command = [str(at.programs / "pg_dump"), "-s", *place]
    text = subprocess.run(command, check=True, capture_output=True, text=True, env=environment_without_libpq()).stdout
    return [line for line in text.splitlines() if RIGHTS.match(line)]


def troubles(at, database, files):
    """What the doctor calls an error, and what the lint of the catalog finds."""
    said = json.loads(at.manage("doctor", "--json", database=database, **files).stdout)
    errors = [f["what"] for c in said["checks"] for f in c["findings"] if f["severity"] == "error"]
    return errors, done(at.manage("shell", "-v", "0", "-c", LINT, database=database, **files)).split("\n")


def passes(at, path, database, files):
    """Whether a drill finds nothing."""
    tried = at.manage("restore", "--drill", str(path), database=database, **files)
    return (tried.returncode, tried.stdout.count("pass  "), tried.stdout.count("FAIL")) == (0, 7, 0)


@pytest.mark.parametrize("to", BOTH)
@pytest.mark.parametrize("of", BOTH)
def test_a_backup_comes_back_by_the_login_role_with_every_guard(of, to, request, files, tmp_path):
    at, target = request.getfixturevalue(of), request.getfixturevalue(to)
    with target.database("restored"):
        done(target.manage("restore", str(at.path), database="restored", **files))
        assert guards(target, "restored") == guards(at, "source")
        assert guards(target, "restored")[1] == [("vibe",)]
        assert troubles(target, "restored", files) == troubles(at, "source", files)
        if at is target:
            assert rights(target, "restored") == rights(at, "source")
        assert passes(target, backed_up(target, "restored", tmp_path, files), "restored", files)


@pytest.mark.parametrize("at", BOTH)
def test_a_template_that_grants_the_schema_to_the_login_role_is_no_hindrance(at, request, files):
    at = request.getfixturevalue(at)
    with at.template_grants_schema(), at.database("restored"):
        assert passes(at, at.path, "restored", files)


@pytest.mark.parametrize("at", BOTH)
def test_another_login_role_may_own_what_is_restored(at, request, files, tmp_path):
    """The database was the administrator's, who granted the login role the schema: the dump names that role."""
    at = of_the_owner(request.getfixturevalue(at))
    with at.connect() as superuser, at.database("lent", owner="postgres"):
        with at.connect("lent") as here:
            here.execute(GRANT_SCHEMA)
        done(at.manage("migrate", "-v", "0", database="lent", **files))
        path = backed_up(at, "lent", tmp_path, files)
        superuser.execute("CREATE ROLE other LOGIN CREATEDB CREATEROLE NOINHERIT")
        for statement in roles.membership_sql(superuser.info.server_version, "other", inherits=False):
            superuser.execute(statement)
        try:
            with at.database("raw", owner="other"):
                assert "permission denied" in raw_restore(at, path, login="other"), "the negative control"
            with at.database("restored", owner="other"):
                done(at.manage("restore", str(path), database="restored", user="other", **files))
                assert guards(at, "restored") == (guards(at, "lent")[0], [("other",)])
        finally:
            superuser.execute("DROP ROLE other")


@pytest.mark.parametrize("at", BOTH)
def test_who_else_may_use_the_schema_is_as_it_was(at, request, files, tmp_path):
    at = of_the_owner(request.getfixturevalue(at))
    with at.connect() as superuser:
        superuser.execute("CREATE ROLE reporting")
        try:
            with at.database("strict", like="source"), at.database("restored"):
                with at.connect("strict") as here:
                    here.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
                    here.execute("GRANT USAGE ON SCHEMA public TO reporting WITH GRANT OPTION")
                path = backed_up(at, "strict", tmp_path, files)
                done(at.manage("restore", str(path), database="restored", **files))
                assert guards(at, "restored") == guards(at, "strict")
                granted = guards(at, "restored")[0][SCHEMA]
                assert "reporting may USAGE WITH GRANT OPTION" in granted and "public may USAGE" not in granted
        finally:
            superuser.execute("DROP ROLE reporting")


def test_programs_newer_than_the_server_are_enough(older, files, tmp_path):
    """As where the application's machine has those of the product alone."""
    mine = {**files, "PG_BIN": str(BINARIES)}
    with older.database("restored"):
        path = backed_up(older, "source", tmp_path, mine)
        done(older.manage("restore", str(path), database="restored", **mine))
        assert rights(older, "restored") == rights(older, "source") != []


def test_control_the_dump_by_itself_does_not_come_back_on_the_older_one(older, newest):
    of_the_owner(older)
    if major_of(older.programs / "postgres") > 15:
        pytest.skip("from PostgreSQL 16 on the dump comes back")
    with older.database("raw"):
        assert "permission denied for schema public" in raw_restore(older, older.path)
    with older.template_grants_schema(), older.database("raw"):
        assert "grant options cannot be granted back to your own grantor" in raw_restore(older, older.path)
    with older.database("raw"):
        said = raw_restore(older, newest.path, programs=newest.programs)
        assert 'unrecognized configuration parameter "transaction_timeout"' in said


def of_the_owner(at):
    """The server, if the schema public is the database owner's there: on 14 it is the administrator's."""
    if at.is_of_14():
        pytest.skip("On PostgreSQL 14 nobody but the administrator says who may use the schema")
    return at


def raw_restore(at, path, *, login="vibe", programs=None):
    """The dump as a login role would put it back with pg_restore alone: what that says."""
    command = [str((programs or at.programs) / "pg_restore"), "--exit-on-error", "--no-owner", "--no-comments"]
    place = [f"--role={login}", "-h", str(at.folder), "-p", str(PORT), "-U", login, "-d", "raw"]
    with verified(path).dump() as dump:
        tried = subprocess.run(
            [*command, *place], input=dump.read(), capture_output=True, check=False, env=environment_without_libpq()
        )
    return tried.stderr.decode()
