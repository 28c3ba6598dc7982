"""The databases that settings name by URL, and the embedded server if they name none."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings

from vibe.core.db.embedded.server import DATABASE, OWNER, EmbeddedServer
from vibe.core.db.url import behind_pooler, database, read_replica

SET_BY_NAME = ("CONN_MAX_AGE", "CONN_HEALTH_CHECKS")  # not by the URL


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
