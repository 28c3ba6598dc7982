"""Who calls the API, and what an operation asks of them.

`NinjaAPI(auth=signed_in)`; `auth=SignedIn("export")` for one operation. The middleware of this folder finds out who
calls before the request's transaction begins. Here the caller is handed over, or the reason why nobody is known is
raised, so that the trail has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase

from accounts.authentication.errors import ScopeMissing
from accounts.models.api_keys import ALL_SCOPES
from audit.actors import Actor, Origin
from audit.context import AuditContext
from vibe.core.errors import ConfigurationError, VibeError
from vibe.core.http.context import context_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and how we know it is they or somebody who may act for them. The credential itself is not kept."""

    user_id: UUID
    how: Literal["token", "api_key", "command"]
    scopes: frozenset[str] = ALL_SCOPES
    issuer: str = ""  # of a token: "firebase", "emulator" or "local"
    api_key: UUID | None = None
    origin: Origin = field(default_factory=Origin)
    client: str = ""  # what acts for them, as the trail names it

    @property
    def actor(self) -> Actor:
        """For the trail, and for every verb."""
        return Actor.person(self.user_id, self.origin, client=self.client)

    @property
    def limited_as(self) -> str:
        """Whose allowance of requests this one counts against."""
        return f"key:{self.api_key}" if self.api_key else f"person:{self.user_id}"

    def require(self, scope: str) -> None:
        """Raises ScopeMissing. A token of the person themself has every scope."""
        if scope not in self.scopes:
            raise ScopeMissing(scope)


@dataclass(kw_only=True)
class CallerContext(AuditContext):
    """Who calls the API, or why that is not known; and whether the operation changes something."""

    caller: Caller | VibeError | None = None
    changes: bool = False
    one_time_code_given: bool = False
    """On the form that staff sign in with."""


class SignedIn(HttpAuthBase):
    """Gives the Caller. Raises Unauthenticated (401), Refused (403) or SignInUnavailable (503).

    Without a scope named, reading needs `read` and every other method `write`.
    """

    openapi_scheme = "bearer"
    openapi_description = "An ID token, or an API key of this service together with the header Vibe-Person."

    def __init__(self, scope: str | None = None) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Caller:
        context = context_of(request, CallerContext)
        try:
            caller = require_caller(context.caller)
            context.actor, context.entry.subject = caller.actor, caller.user_id
            scope = self.scope or ("read" if request.method in SAFE else "write")
            caller.require(scope)
        except VibeError as refusal:
            context.entry.reason = refusal.code
            context.actor = context.actor or Actor.anonymous(context.origin)
            raise
        context.changes = scope != "read"
        return caller


def require_caller(found: Caller | VibeError | None) -> Caller:
    """What the gate found out. Raises its refusal."""
    if isinstance(found, VibeError):
        raise found
    if not isinstance(found, Caller):
        raise ConfigurationError(
            "The caller is unknown: add accounts.authentication.middleware.AuthenticationMiddleware to MIDDLEWARE."
        )
    return found


signed_in = SignedIn()


def caller_of(request: HttpRequest) -> Caller:
    """Whom `signed_in` let in. Raises ConfigurationError for an operation that asks nobody in."""
    caller = getattr(request, "auth", None)
    if not isinstance(caller, Caller):
        raise ConfigurationError("An operation on a person's data has no auth: give it to NinjaAPI, not to a router.")
    return caller
