"""The server that is backed up and restored to, accessed by a role that sees every row.

Row-level security is forced on the owner too, so the application's own login would dump nothing. A backup uses the
embedded server's superuser, or the role of BACKUP_DATABASE_URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from vibe.core.db.backend.base import explain_failure
from vibe.core.db.configured import database, embedded_server
from vibe.core.db.embedded.server import PORT, SUPERUSER, environment_without_libpq
from vibe.core.db.errors import DatabaseNotReady

MAINTENANCE = "postgres"  # the database from which others are created and renamed
LIBPQ = frozenset(option.keyword.decode() for option in Conninfo.get_defaults())
SEES_ALL = "SELECT rolsuper OR rolbypassrls, rolsuper, quote_ident(rolname) FROM pg_roles WHERE rolname = current_user"


@dataclass(frozen=True, slots=True)
class Server:
    """Connection parameters of a role, in libpq's terms; `owner` is the role that owns the tables."""

    reached: dict[str, Any]
    owner: str
    password: str = field(default="", repr=False)

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """Connect in autocommit mode. Raises DatabaseNotReady."""
        try:
            return psycopg.connect(self.conninfo(database), password=self.password or None, autocommit=True)
        except psycopg.OperationalError as problem:
            place = {"HOST": "", "PORT": "", "USER": self.reached["user"], "NAME": database}
            place |= {name.upper(): str(self.reached[name]) for name in ("host", "port") if name in self.reached}
            raise DatabaseNotReady(explain_failure(str(problem), place)) from None

    def conninfo(self, database: str) -> str:
        """Return a connection string without the password, for arguments, which other users can see."""
        return make_conninfo(**self.reached, dbname=database)

    def environment(self) -> dict[str, str]:
        """Return a program's environment: the password, and no other variable of libpq."""
        return environment_without_libpq() | ({"PGPASSWORD": self.password} if self.password else {})


def configured(*, for_restoring: bool = False) -> Server:
    """Return the configured server, with a role that may do it. Raises DatabaseNotReady, with what to type."""
    owner = str(connection.settings_dict["USER"])
    if embedded := embedded_server():
        embedded.start()
        return Server({"host": str(embedded.sockets), "port": PORT, "user": SUPERUSER}, owner)
    url = settings.BACKUP_DATABASE_URL
    ours = of_django(connection.settings_dict, owner)
    other = of_django(database(url, setting="BACKUP_DATABASE_URL"), owner) if url else ours
    if for_restoring:
        return other if is_superuser(other) else ours
    require_sight(other)
    return other


def of_django(database: dict[str, Any], owner: str) -> Server:
    """Return Django's settings of a database in libpq's terms."""
    places = {"host": database["HOST"], "port": database["PORT"], "user": database["USER"]}
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name in LIBPQ}
    reached = {name: value for name, value in (options | places).items() if value}
    return Server(reached, owner, str(database["PASSWORD"] or ""))


def require_sight(server: Server) -> None:
    """Raise DatabaseNotReady when row-level security would hide rows from this role."""
    with server.connect(MAINTENANCE) as here:
        sees, _, role = here.execute(SEES_ALL).fetchone() or (False, False, "?")
    if not sees:
        raise DatabaseNotReady(
            f"Role {role} does not see every row, so what it dumps would lack people. As superuser: "
            "CREATE ROLE vibe_backup LOGIN BYPASSRLS PASSWORD '...' IN ROLE pg_read_all_data; "
            "then set BACKUP_DATABASE_URL to that role and this database."
        )


def is_superuser(server: Server) -> bool:
    """Return whether the role is a superuser."""
    with server.connect(MAINTENANCE) as here:
        return bool((here.execute(SEES_ALL).fetchone() or (0, 0, ""))[1])


def major(here: psycopg.Connection[Any]) -> int:
    """Return the server's major version."""
    return here.info.server_version // 10000


def exists(here: psycopg.Connection[Any], database: str) -> bool:
    """Return whether the server has a database of that name."""
    return here.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def drop(here: psycopg.Connection[Any], database: str) -> None:
    """Drop a database, and end its connections."""
    here.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


@contextmanager
def pointed_at(database: str) -> Iterator[None]:
    """Point Django's connection at another database of the same server for the block."""
    before = connection.settings_dict["NAME"]
    point(database)
    try:
        yield
    finally:
        point(before)


def point(database: str) -> None:
    """Point Django's connection at another database."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["NAME"] = database
