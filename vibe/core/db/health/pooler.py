"""Whether a pooler that nobody named is before the server."""

from __future__ import annotations

from django.conf import settings
from django.db import connection


def has_unnamed_pooler() -> bool:
    """Return whether a pooler answers in the server's place while DATABASE_POOLER is off.

    It gives each client a number of its own by which to cancel statements, where a server gives that of its process.
    """
    if settings.DATABASE_POOLER:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [theirs] = cursor.fetchone()
    return bool(theirs != connection.connection.info.backend_pid)
