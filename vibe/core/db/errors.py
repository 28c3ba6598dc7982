"""Errors of the database and of scopes."""

from __future__ import annotations

from typing import Final

from django.db import InterfaceError, OperationalError

from vibe.core.errors import VibeError


class DatabaseNotReady(VibeError):
    message = "The database is not ready for use."
    code = "database-not-ready"
    status = 503


class PoolerMisconfigured(DatabaseNotReady):
    message = (
        "DATABASE_URL leads through a pooler, where no statement can be kept. Whoever runs this service sets "
        "DATABASE_POOLER=on."
    )
    code = "pooler-misconfigured"


class DatabaseUnavailable(VibeError):
    message = "The database does not answer at the moment. Try again shortly."
    code = "busy"
    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class NodeAway(DatabaseUnavailable, OperationalError):
    message = "A worker of the cluster does not answer. Who has no rows on it is served. Run: manage.py doctor"


class ContextError(VibeError):
    message = "This needs a scope: enter as_user(), as_support(), as_staff(), as_sign_in() or as_system() first."
    code = "context"


class Unrecorded(VibeError):
    message = "Rows were changed without a row in the audit trail, so nothing was changed."
    code = "unrecorded"


CONNECTION_LOST: Final = (InterfaceError, OperationalError)
# A standby that answers in place of the primary, and two timeouts that end the connection: psycopg has them as
# InternalError.
STATES: Final = frozenset({"25006", "25P03", "25P04"})


def is_unavailable(problem: BaseException) -> bool:
    """Return whether the database refused or lost the connection, or could not do any work at the moment."""
    return isinstance(problem, CONNECTION_LOST) or getattr(problem.__cause__, "sqlstate", None) in STATES
