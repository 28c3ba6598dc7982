"""Django's PostgreSQL backend, which starts the embedded server when that is what is configured, and says plainly
what is wrong when there is no connection."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from psycopg import errors

from vibe.db.embedded import EmbeddedServer
from vibe.errors import DatabaseNotReady


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection of the product."""

    def get_connection_params(self) -> dict[str, Any]:
        # Here and not in get_new_connection: the worker's own connector asks for the parameters alone.
        if embedded := embedded_server():
            embedded.start()
        return super().get_connection_params()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError as problem:
            raise DatabaseNotReady(explain(problem, self.settings_dict)) from problem


def embedded_server() -> EmbeddedServer | None:
    """The embedded server, when DATABASE_URL is not set."""
    return getattr(settings, "EMBEDDED_SERVER", None)


def explain(problem: psycopg.OperationalError, database: dict[str, Any]) -> str:
    """What to do about a connection that failed. Names host, port, database and user, never the password."""
    where = f"{database['HOST'] or 'the local socket'}:{database['PORT'] or 5432}"
    text = str(problem)
    if isinstance(problem, errors.InvalidCatalogName) or ("database" in text and "does not exist" in text):
        return f"Database '{database['NAME']}' does not exist at {where}. Create it: createdb {database['NAME']}"
    if "password" in text or "authentication" in text or "role" in text:
        return f"PostgreSQL at {where} refused user '{database['USER']}'. Check user and password in DATABASE_URL."
    if "too many" in text or "remaining connection slots" in text:
        return f"PostgreSQL at {where} has no free connection. Raise max_connections, or put a pooler in front."
    return f"No PostgreSQL answers at {where}. Start it, or correct host and port in DATABASE_URL."
