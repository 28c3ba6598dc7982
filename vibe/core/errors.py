"""Every error of the product: a stable code, an HTTP status, a message that says the fact and then what to do.

VibeError
├── ConfigurationError          a setting is missing, weak or contradictory
├── DatabaseNotReady            the server, the database or an extension is not as needed
│   └── WrongMasterKey          the configured master keys open none of the stored data keys
├── DatabaseUnavailable         the database does not answer, or lost the connection
├── ContextError                a statement was asked for outside the scope it needs
├── SealError                   something sealed does not open, or is not sealed
│   ├── MasterKeyMissing        the ring lacks the master key that sealed it
│   ├── DataKeyMissing          the person's data key is destroyed, or was never made
│   ├── FormatUnknown           the stored bytes are of no version we know
│   └── SealBroken              wrong key, moved, altered, or never sealed
├── InputError                  what came from outside is not acceptable
│   └── BackupBroken            a backup is cut off, altered, or none at all
├── BackupFailed                a backup could not be taken or put back
├── NotFound                    there is no such thing for this caller
├── Conflict                    it cannot be, beside what is there already
├── Outdated                    it was changed since the caller saw it
├── Refused                     the caller may not do this
│   ├── Deactivated             the account is switched off
│   ├── EmailUnverified         the email address is not verified, and the setting asks for it
│   ├── PersonUnknown           an API key names nobody it may act for
│   └── ScopeMissing            an API key lacks the scope
├── Unauthenticated             who asks is not known
│   ├── CredentialsMissing      nothing to know them by
│   ├── TokenInvalid            not a token of ours, or not any more
│   │   ├── TokenExpired        its time is over
│   │   └── TokenRevoked        signed out everywhere since
│   └── ApiKeyInvalid           unknown, expired or revoked
├── SignInUnavailable           who asks cannot be found out at the moment
├── TooManyRequests             the limit is reached
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

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that go with the status."""
        return {}


class ConfigurationError(VibeError):
    """A setting is missing or wrong."""

    code = "configuration"


class DatabaseNotReady(VibeError):
    """The database is not ready for use."""

    code = "database-not-ready"
    status = 503


class WrongMasterKey(DatabaseNotReady):
    """The configured master keys open none of the stored data keys. Set ENCRYPTION_KEY back to the right one."""

    code = "wrong-master-key"


class DatabaseUnavailable(VibeError):
    """The database does not answer at the moment. Try again shortly."""

    code = "busy"
    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class ContextError(VibeError):
    """This needs a scope: enter as_user(), as_support(), as_staff(), as_sign_in() or as_system() first."""

    code = "context"


class SealError(VibeError):
    """A sealed value could not be opened."""

    code = "seal"


class MasterKeyMissing(SealError):
    """The master key this was sealed under is not configured, in ENCRYPTION_KEY or ENCRYPTION_KEYS_RETIRED."""

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


class BackupBroken(InputError):
    """The backup is cut off, altered, or no backup at all."""

    code = "backup-broken"


class BackupFailed(VibeError):
    """The backup could not be taken or put back."""

    code = "backup-failed"


class NotFound(VibeError):
    """There is no such thing."""

    code = "not-found"
    status = 404


class Conflict(VibeError):
    """This cannot be beside what is there already."""

    code = "conflict"
    status = 409


class Outdated(VibeError):
    """This was changed since you read it. Read it again and decide anew."""

    code = "outdated"
    status = 412


class Refused(VibeError):
    """You may not do this."""

    code = "refused"
    status = 403


class Deactivated(Refused):
    """This account is deactivated. Ask support."""

    code = "deactivated"


class EmailUnverified(Refused):
    """The email address is not verified. Verify it, then sign in again."""

    code = "email-unverified"


class PersonUnknown(Refused):
    """This API key acts for nobody of that name. Name a person who is there, in the header Vibe-Person."""

    code = "person-unknown"


class ScopeMissing(Refused):
    """This API key lacks a scope that is needed here."""

    code = "scope-missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key lacks the scope '{scope}'. Make one that has it: make_api_key --scope {scope}.")
        self.scope = scope

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Bearer realm="vibe", error="insufficient_scope", scope="{self.scope}"'}


class Unauthenticated(VibeError):
    """This needs signing in."""

    code = "unauthenticated"
    status = 401

    @property
    def headers(self) -> dict[str, str]:
        """RFC 6750, section 3: what is wrong with a credential is said only where one was given."""
        return {"WWW-Authenticate": f'Bearer realm="vibe", error="invalid_token", error_description="{self.code}"'}


class CredentialsMissing(Unauthenticated):
    """This needs signing in: send the header `Authorization: Bearer TOKEN`, with an ID token or an API key."""

    code = "credentials-missing"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="vibe"'}


class TokenInvalid(Unauthenticated):
    """The token is not valid here. Sign in again, and send the new ID token."""

    code = "token-invalid"


class TokenExpired(TokenInvalid):
    """The token has expired. Get a new one and try again."""

    code = "token-expired"


class TokenRevoked(TokenInvalid):
    """The token was revoked. Sign in again."""

    code = "token-revoked"


class ApiKeyInvalid(Unauthenticated):
    """The API key is unknown, expired or revoked. Use another one."""

    code = "api-key-invalid"


class SignInUnavailable(VibeError):
    """Who asks cannot be found out at the moment. Try again shortly."""

    code = "sign-in-unavailable"
    status = 503
    retry_after = 10  # seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class TooManyRequests(VibeError):
    """There were too many requests."""

    code = "too-many-requests"
    status = 429

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"There were too many requests. Try again in {retry_after} s.")
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class AuditUnavailable(VibeError):
    """The audit trail cannot be written, so nothing was done or shown. Try again shortly."""

    code = "audit-unavailable"
    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class Unrecorded(VibeError):
    """Rows were changed without a row in the audit trail, so nothing was changed."""

    code = "unrecorded"
