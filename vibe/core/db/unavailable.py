"""Which errors mean that the database is unavailable, so that the same request may succeed a little later."""

from __future__ import annotations

from typing import Final

from django.db import InterfaceError, OperationalError

CONNECTION_LOST: Final = (InterfaceError, OperationalError)
# A standby that answers in place of the primary, and two timeouts that end the connection: psycopg has them as
# InternalError.
STATES: Final = frozenset({"25006", "25P03", "25P04"})


def is_unavailable(problem: BaseException) -> bool:
    """Return whether the database refused or lost the connection, or could not do any work at the moment."""
    return isinstance(problem, CONNECTION_LOST) or getattr(problem.__cause__, "sqlstate", None) in STATES
