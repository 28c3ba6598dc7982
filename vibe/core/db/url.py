"""DATABASE_URL as a Django database: django-environ reads it, and what it leaves undone is done here."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import environ

from vibe.core.errors import ConfigurationError

ENGINE = "vibe.core.db.backend"
SCHEMES = frozenset({"postgres", "postgresql"})
EXAMPLE = "postgres://user:password@host:5432/database"
# What libpq would take as an option belongs where Django and our messages look for it.
PLACES = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}  # nosec


def database(url: str, *, setting: str = "DATABASE_URL") -> dict[str, Any]:
    """The database of a URL. Raises ConfigurationError, which names the setting and never shows the URL.

    A Unix socket is a host like any other: `postgres://user@%2Frun%2Fpostgresql/database`, or `?host=/run/postgresql`.
    """
    try:
        parts = urlsplit(url)
        found: dict[str, Any] = environ.Env.db_url_config(url, engine=ENGINE)
    except ValueError:
        raise ConfigurationError(
            f"{setting} cannot be read. Write it as {EXAMPLE}, with special characters percent-encoded."
        ) from None
    if parts.scheme not in SCHEMES:
        raise ConfigurationError(f"{setting} is not of PostgreSQL. Write it as {EXAMPLE}")
    options = found.setdefault("OPTIONS", {})
    found.update({place: str(options.pop(name)) for name, place in PLACES.items() if name in options})
    if "%" in found["HOST"]:
        found["HOST"] = unquote(parts.netloc.rpartition("@")[2].partition(":")[0])  # urlsplit would lower its case
    if not found["NAME"]:
        raise ConfigurationError(f"{setting} names no database. Write it as {EXAMPLE}")
    return found


def read_replica(database: dict[str, Any]) -> dict[str, Any]:
    """The same database as a replica that one can do without: who waits for it gives up soon.

    Seconds to connect, and milliseconds without an answer of the network, unless the URL says otherwise.
    """
    options = {"connect_timeout": 2, "tcp_user_timeout": 2000, **database.get("OPTIONS", {})}
    return {**database, "OPTIONS": options}


def behind_pooler(database: dict[str, Any]) -> dict[str, Any]:
    """The same database through a pooler in transaction mode, where the next statement may meet another session.

    So nothing may outlive its transaction there: no prepared statements, and no cursors on the server outside of one.
    """
    options = {**database.get("OPTIONS", {}), "prepare_threshold": None}
    return {**database, "OPTIONS": options, "DISABLE_SERVER_SIDE_CURSORS": True}
