"""Every error of the product: a stable code, an HTTP status, a message that says the fact and then what to do.

VibeError
├── ConfigurationError          a setting is missing, weak or contradictory
├── DatabaseNotReady            the server, the database or an extension is not as needed
├── ContextError                a statement was asked for outside the scope it needs
├── SealError                   something sealed does not open, or is not sealed
│   ├── MasterKeyMissing        the ring lacks the master key that sealed it
│   ├── DataKeyMissing          the person's data key is destroyed, or was never made
│   ├── FormatUnknown           the stored bytes are of no version we know
│   └── SealBroken              wrong key, moved, altered, or never sealed
├── InputError                  what came from outside is not acceptable
├── NotFound                    there is no such thing for this caller
├── Refused                     the caller may not do this
├── AuditUnavailable            the row that must record this could not be written
└── Unrecorded                  somebody's rows were changed, and no row records it

Messages carry the names of settings, tables and ids. They never carry a value of anybody's data.
"""

from __future__ import annotations

import inspect


class VibeError(Exception):
    """Something went wrong in Vibe."""

    code = "error"
    status = 500

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)))


class ConfigurationError(VibeError):
    """A setting is missing or wrong."""

    code = "configuration"


class DatabaseNotReady(VibeError):
    """The database is not ready for use."""

    code = "database-not-ready"
    status = 503


class ContextError(VibeError):
    """This needs a scope: enter as_user(), as_support(), as_staff(), as_sign_in() or as_system() first."""

    code = "context"


class SealError(VibeError):
    """A sealed value could not be opened."""

    code = "seal"


class MasterKeyMissing(SealError):
    """The master key this was sealed under is not configured: add it to ENCRYPTION_KEYS_RETIRED."""

    code = "master-key-missing"


class DataKeyMissing(SealError):
    """The person has no data key of that generation: it was destroyed or never made."""

    code = "data-key-missing"


class FormatUnknown(SealError):
    """The stored bytes are of an unknown format version."""

    code = "format-unknown"


class SealBroken(SealError):
    """The seal does not hold: wrong key, a value moved from elsewhere, altered bytes, or never sealed."""

    code = "seal-broken"


class InputError(VibeError):
    """The input is not acceptable."""

    code = "input"
    status = 400


class NotFound(VibeError):
    """There is no such thing."""

    code = "not-found"
    status = 404


class Refused(VibeError):
    """You may not do this."""

    code = "refused"
    status = 403


class AuditUnavailable(VibeError):
    """The audit trail cannot be written, so nothing was done or shown. Try again shortly."""

    code = "audit-unavailable"
    status = 503


class Unrecorded(VibeError):
    """Rows were changed without a row in the audit trail, so nothing was changed."""

    code = "unrecorded"
