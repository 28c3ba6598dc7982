"""Errors that refuse a caller."""

from __future__ import annotations

from uuid import UUID

from vibe.core.errors import InputError, Refused, VibeError


class CompanionBound(Refused):
    message = "This credential is bound to one companion, and what was asked for is not of that companion alone."
    code = "companion-bound"


class Deactivated(Refused):
    message = "This account is deactivated. Ask support."
    code = "deactivated"


class EmailUnverified(Refused):
    message = "The email address is not verified. Verify it, then sign in again."
    code = "email-unverified"


class PersonUnknown(Refused):
    message = "No such person for this API key. Name an existing person in the header Vibe-Person."
    code = "person-unknown"


class PersonNotNamed(InputError):
    """An API key came without a person, whom some operations do not need. `key` is its id, the rest is its own."""

    message = "An API key acts for a person: name them in the header Vibe-Person, by uid: or id:."

    def __init__(self, key: UUID, scopes: frozenset[str], companion: str | None) -> None:
        super().__init__()
        self.key, self.scopes, self.companion = key, scopes, companion


class ScopeMissing(Refused):
    message = "This API key lacks a scope that is needed here."
    code = "scope-missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key lacks the scope '{scope}'. Make one that has it: make_api_key --scope {scope}.")
        self.scope = scope

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Bearer realm="vibe", error="insufficient_scope", scope="{self.scope}"'}


class Unauthenticated(VibeError):
    message = "This needs signing in."
    code = "unauthenticated"
    status = 401

    @property
    def headers(self) -> dict[str, str]:
        """Name the error only if a credential was sent (RFC 6750, section 3)."""
        return {"WWW-Authenticate": f'Bearer realm="vibe", error="invalid_token", error_description="{self.code}"'}


class CredentialsMissing(Unauthenticated):
    message = "This needs signing in: send the header `Authorization: Bearer TOKEN`, with an ID token or an API key."
    code = "credentials-missing"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="vibe"'}


class TokenInvalid(Unauthenticated):
    message = "The token is not valid here. Sign in again, and send the new ID token."
    code = "token-invalid"


class TokenExpired(TokenInvalid):
    message = "The token has expired. Get a new one and try again."
    code = "token-expired"


class TokenRevoked(TokenInvalid):
    message = "The token was revoked. Sign in again."
    code = "token-revoked"


class ApiKeyInvalid(Unauthenticated):
    message = "The API key is unknown, expired, revoked or not approved yet. Use another one."
    code = "api-key-invalid"


class SignInUnavailable(VibeError):
    message = "The caller cannot be verified at the moment. Try again shortly."
    code = "sign-in-unavailable"
    status = 503
    retry_after = 10  # seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class TooManyRequests(VibeError):
    message = "There were too many requests."
    code = "too-many-requests"
    status = 429

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"There were too many requests. Try again in {retry_after} s.")
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}
