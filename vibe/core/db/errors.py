"""What can go wrong with the database and the scopes."""

from __future__ import annotations

from vibe.core.errors import VibeError


class DatabaseNotReady(VibeError):
    message = "The database is not ready for use."
    code = "database-not-ready"
    status = 503


class DatabaseUnavailable(VibeError):
    message = "The database does not answer at the moment. Try again shortly."
    code = "busy"
    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class ContextError(VibeError):
    message = "This needs a scope: enter as_user(), as_support(), as_staff(), as_sign_in() or as_system() first."
    code = "context"


class Unrecorded(VibeError):
    message = "Rows were changed without a row in the audit trail, so nothing was changed."
    code = "unrecorded"
