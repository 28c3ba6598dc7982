"""The errors that every part of the product may raise, each with a stable code, an HTTP status and a message.

A message states the fact, then what to do. It names settings, tables and ids, never a value of anybody's data. Errors
of one part are beside it: `errors.py` of vibe.core.crypto, vibe.core.db, accounts.authentication, audit, vibe.backup.
"""

from __future__ import annotations

from uuid import UUID


class VibeError(Exception):
    """An error with a code, an HTTP status and, where none is given, the message of its class."""

    message = "Something went wrong in Vibe."
    code = "error"
    status = 500

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    @property
    def headers(self) -> dict[str, str]:
        """Return HTTP headers that go with the status."""
        return {}

    @property
    def members(self) -> dict[str, str]:
        """Return what the problem document has besides what all have."""
        return {}


class ConfigurationError(VibeError):
    message = "A setting is missing or wrong."
    code = "configuration"


class InputError(VibeError):
    message = "The input is not acceptable."
    code = "input"
    status = 400


class NotFound(VibeError):
    message = "There is no such thing."
    code = "not-found"
    status = 404


class Conflict(VibeError):
    """Something is there already; `existing` is its id, if it is known."""

    message = "This cannot be beside what is there already."
    code = "conflict"
    status = 409

    def __init__(self, message: str | None = None, *, existing: UUID | None = None) -> None:
        super().__init__(message)
        self.existing = existing

    @property
    def members(self) -> dict[str, str]:
        return {"existing_id": str(self.existing)} if self.existing else {}


class Outdated(VibeError):
    message = "This was changed since you read it. Read it again and decide anew."
    code = "outdated"
    status = 412


class Refused(VibeError):
    message = "You may not do this."
    code = "refused"
    status = 403


class AuditUnavailable(VibeError):
    message = "The audit trail cannot be written, so nothing was done or shown. Try again shortly."
    code = "audit-unavailable"
    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}
