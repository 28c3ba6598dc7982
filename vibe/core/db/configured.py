"""The databases that settings name by URL, and the embedded server if they name none.

A URL becomes a Django database: what django-environ reads, corrected and checked.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.conf import settings

from vibe.core.db.embedded.server import DATABASE, OWNER, EmbeddedServer
from vibe.core.errors import ConfigurationError

ENGINE = "vibe.core.db.backend"
SCHEMES = frozenset({"postgres", "postgresql"})
EXAMPLE = "postgres://user:password@host:5432/database"
# Options of libpq that belong where Django and our messages look for them.
PLACES = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}  # nosec

SET_BY_NAME = ("CONN_MAX_AGE", "CONN_HEALTH_CHECKS")  # not by the URL


def database(url: str, *, setting: str = "DATABASE_URL") -> dict[str, Any]:
    """Read the database of a URL. Raises ConfigurationError, which names the setting and never shows the URL.

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
        found["HOST"] = unquote(parts.netloc.rpartition("@")[2].partition(":")[0])  # urlsplit lowers the case of hosts
    if not found["NAME"]:
        raise ConfigurationError(f"{setting} names no database. Write it as {EXAMPLE}")
    return found


def read_replica(database: dict[str, Any]) -> dict[str, Any]:
    """Return the same database as a replica that is optional, so with short time limits.

    They are in seconds to connect, and in milliseconds without an answer of the network, unless the URL sets others.
    """
    options = {"connect_timeout": 2, "tcp_user_timeout": 2000, **database.get("OPTIONS", {})}
    return {**database, "OPTIONS": options}


def behind_pooler(database: dict[str, Any]) -> dict[str, Any]:
    """Return the same database through a pooler in transaction mode, where each transaction may get another session.

    So nothing may outlive its transaction: no prepared statements, and no server-side cursors outside of one.
    """
    options = {**database.get("OPTIONS", {}), "prepare_threshold": None}
    return {**database, "OPTIONS": options, "DISABLE_SERVER_SIDE_CURSORS": True}


@cache
def embedded_server() -> EmbeddedServer | None:
    """Return the embedded server of this process, when DATABASE_URL is not set."""
    return None if settings.DATABASE_URL else EmbeddedServer(settings.STATE_DIR / "postgres")


def resolve(settings_dict: dict[str, Any], *, replica: bool) -> None:
    """Replace the URL in Django's settings of a database by its parts, once. Raises ConfigurationError."""
    if "URL" not in settings_dict:
        return
    if replica:
        found = read_replica(database(settings_dict["URL"], setting="REPLICA_URL"))
    elif embedded := embedded_server():
        # Elsewhere than beside the data its socket gets a folder of its own, made when the first connection is.
        found = {"HOST": str(embedded.beside) if embedded.fits else "", "NAME": DATABASE, "USER": OWNER}
    else:
        found = database(settings_dict["URL"])
    if settings.DATABASE_POOLER:
        found = behind_pooler(found)
    options = {**found.pop("OPTIONS", {}), **settings_dict.get("OPTIONS", {})}
    settings_dict.update({name: value for name, value in found.items() if name not in SET_BY_NAME}, OPTIONS=options)
    del settings_dict["URL"]
