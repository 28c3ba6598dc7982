"""Servers as an administrator sets them up by the docs: a login role, its database, a role that takes backups."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.processes import PATIENCE, manage, url
from vibe.backup.programs import all_folders, major_of
from vibe.core.db.embedded.account import grant_traversal, server_account
from vibe.core.db.embedded.files import BINARIES, own_folder
from vibe.core.db.embedded.server import PORT, SUPERUSER, environment_without_libpq
from vibe.core.db.requirements import OLDEST_VECTOR

OPTIONS = "-c listen_addresses='' -c unix_socket_directories='{folder}' -c port={port} -c fsync=off"
BY_THE_DOCS = (
    "CREATE ROLE vibe LOGIN CREATEROLE CREATEDB NOINHERIT",
    "CREATE ROLE vibe_backup LOGIN BYPASSRLS IN ROLE pg_read_all_data",
)
ON_14 = "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
GRANT_SCHEMA = "GRANT ALL ON SCHEMA public TO vibe WITH GRANT OPTION"  # as a message of ours says
OLDER = 15  # the version whose login role does not inherit what a database's owner may do


class PlainServer:
    """PostgreSQL from a folder of programs, on a socket in a folder of its own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.data = programs, folder, folder / "data"
        self.account = server_account()
        grant_traversal(self.account, folder, programs / "postgres")
        own_folder(folder, self.account)
        self.run("initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C")
        options = OPTIONS.format(folder=folder, port=PORT)
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", folder / "server.log", "-o", options)

    def run(self, program: str, *arguments: Any) -> None:
        """One of the server's own programs, under the account that it runs as."""
        with tempfile.TemporaryFile("w+") as said:  # not a pipe, which the server would keep open
            done = subprocess.run(
                [str(self.programs / program), *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", timeout=PATIENCE, check=False,
                env=environment_without_libpq(), **self.account.options(),
            )  # fmt: skip
            said.seek(0)
            assert done.returncode == 0, said.read()

    def connect(self, database: str = "postgres", user: str = SUPERUSER) -> psycopg.Connection[Any]:
        """In autocommit."""
        return psycopg.connect(host=str(self.folder), port=PORT, dbname=database, user=user, autocommit=True)

    def prepare(self) -> None:
        """What docs/configuration.md and docs/backup.md have an administrator type, once."""
        with self.connect("template1") as template:
            template.execute("CREATE EXTENSION vector")
        with self.connect() as superuser:
            for statement in BY_THE_DOCS:
                superuser.execute(statement)
        if self.is_of_14():
            with self.connect("template1") as template:
                template.execute(f"{GRANT_SCHEMA}; {ON_14}")

    def is_of_14(self) -> bool:
        """Whether the schema public is not the database owner's, and everybody may make tables there."""
        return major_of(self.programs / "postgres") == 14

    def has_vector(self) -> bool:
        """Whether a pgvector that is new enough can be made here."""
        with self.connect() as superuser:
            found = superuser.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
            row = found.fetchone()
        return bool(row) and tuple(map(int, row[0].split(".")[:2])) >= OLDEST_VECTOR

    def manage(
        self, *arguments: str, database: str, user: str = "vibe", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """A command on one of its databases."""
        place = {"host": self.folder, "port": PORT, "name": database}
        backup = url(**place, user="vibe_backup")
        return manage(*arguments, DATABASE_URL=url(**place, user=user), **{"BACKUP_DATABASE_URL": backup, **more})

    @contextmanager
    def template_grants_schema(self) -> Iterator[None]:
        """The login role has the schema from the start in every database that is made meanwhile."""
        with self.connect("template1") as template:
            template.execute(GRANT_SCHEMA)
        try:
            yield
        finally:
            if not self.is_of_14():
                with self.connect("template1") as template:
                    template.execute("REVOKE ALL ON SCHEMA public FROM vibe")

    @contextmanager
    def database(self, name: str, *, owner: str = "vibe", like: str = "template1") -> Iterator[str]:
        """An empty one, or one like another one; dropped with what a restore left beside it."""
        with self.connect() as superuser:
            statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
            superuser.execute(statement.format(*map(sql.Identifier, (name, owner, like))))
            try:
                yield name
            finally:
                made = superuser.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name])
                for (each,) in made.fetchall():
                    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(each)))


@contextmanager
def plain_server(programs: Path) -> Iterator[PlainServer]:
    """A server that runs for the block. Skips where it has no pgvector."""
    folder = Path(tempfile.mkdtemp(prefix="vibe-plain-"))
    try:
        server = PlainServer(programs, folder)
        try:
            if not server.has_vector():
                pytest.skip(f"the PostgreSQL in {programs} has no pgvector of {OLDEST_VECTOR} or newer")
            server.prepare()
            yield server
        finally:
            server.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", server.data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bundled_programs() -> Path:
    """Those that come with the product."""
    return BINARIES


def older_programs() -> Path:
    """Those of an older PostgreSQL: of the folder VIBE_OLDER_POSTGRES, or where systems keep version 15. Or skip."""
    given = os.environ.get("VIBE_OLDER_POSTGRES")
    for folder in [Path(given)] if given else map(Path, all_folders()):
        if given or (major_of(folder / "initdb") == OLDER and major_of(folder / "postgres") == OLDER):
            return folder
    pytest.skip(f"needs PostgreSQL {OLDER} with pgvector: install them, or set VIBE_OLDER_POSTGRES to its folder `bin`")
