"""The caller of the API, and the scopes that operations require.

Use `NinjaAPI(auth=signed_in)`, or `auth=SignedIn("export")` for one operation; `ServerSignedIn(scope)` where a server
acts for nobody. The middleware of this folder identifies
the caller before the request's transaction begins. This module returns the caller, or raises the reason for refusal
inside the operation, so that it is in the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase

from accounts.authentication.errors import CompanionBound, PersonNotNamed, ScopeMissing
from accounts.models.api_keys import OF_ONE_PERSON, PEOPLE
from audit.actors import Actor, Origin
from audit.context import AuditContext
from vibe.core.errors import ConfigurationError, InputError, Refused, VibeError
from vibe.core.http.context import context_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and how they or a server acting for them signed in. The credential itself is not kept."""

    user_id: UUID
    how: Literal["token", "api_key", "command"]
    scopes: frozenset[str] = OF_ONE_PERSON
    issuer: str = ""  # of a token: "firebase", "emulator" or "local"
    api_key: UUID | None = None
    origin: Origin = field(default_factory=Origin)
    client: str = ""  # what acts for them, as the audit log names it

    companion: str | None = field(default=None, repr=False)
    """The only companion whose conversations the credential opens."""

    @property
    def actor(self) -> Actor:
        """Return the actor for the audit log and for every verb."""
        return Actor.person(self.user_id, self.origin, client=self.client)

    @property
    def limited_as(self) -> str:
        """Return the name of the rate limit bucket that requests count against."""
        return f"key:{self.api_key}" if self.api_key else f"person:{self.user_id}"

    def companion_or(self, given: str | None) -> str | None:
        """Return the companion that the credential is bound to, else the given one. Raises CompanionBound."""
        if self.companion is not None and given not in (None, self.companion):
            raise CompanionBound
        return given if self.companion is None else self.companion

    def require(self, scope: str) -> None:
        """Raise ScopeMissing without this scope. A person's own token has every scope."""
        if scope not in self.scopes:
            raise ScopeMissing(scope)


@dataclass(kw_only=True)
class CallerContext(AuditContext):
    """The caller of the API or the error in identifying them, and whether the operation changes data."""

    caller: Caller | VibeError | None = None
    changes: bool = False
    one_time_code_given: bool = False
    """On the sign-in form of staff."""
    recovery_code_given: bool = False
    """The same, in place of a code of the app."""


class SignedIn(HttpAuthBase):
    """Authentication that returns the Caller. Raises Unauthenticated (401), Refused (403) or SignInUnavailable (503).

    Unless a scope is named, safe methods need `read` and all others `write`.
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


@dataclass(frozen=True, slots=True)
class ServerCaller:
    """A server that calls for itself, by its API key."""

    key: UUID
    actor: Actor


class ServerSignedIn(HttpAuthBase):
    """Authentication of an API key that acts for nobody. Returns the ServerCaller.

    Raises Unauthenticated (401), Refused (403), InputError (400) or SignInUnavailable (503).
    """

    openapi_scheme = "bearer"
    openapi_description = SignedIn.openapi_description

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> ServerCaller:
        context = context_of(request, CallerContext)
        try:
            server = require_server(context.caller, context.origin, self.scope)
        except VibeError as refusal:
            context.entry.reason = refusal.code
            context.actor = Actor.anonymous(context.origin)
            raise
        context.actor, context.person = server.actor, None  # also with a key that is for one person
        return server


def require_server(found: Caller | VibeError | None, origin: Origin, scope: str) -> ServerCaller:
    """Return the API key that calls, or raise why it may not."""
    known = found if isinstance(found, PersonNotNamed) else require_caller(found)
    key = known.key if isinstance(known, PersonNotNamed) else known.api_key
    if key is None:
        raise Refused(f"This takes an API key with the scope '{scope}', and no person's own token.")
    if scope not in known.scopes:
        raise ScopeMissing(scope)
    if known.companion is not None:
        raise CompanionBound
    if scope == PEOPLE and not isinstance(known, PersonNotNamed):
        raise InputError("The person is named in the address here. Leave out the header Vibe-Person.")
    return ServerCaller(key, Actor.system(f"api-key {key}", origin))


def require_caller(found: Caller | VibeError | None) -> Caller:
    """Return the caller whom the middleware identified, or raise its refusal."""
    if isinstance(found, VibeError):
        raise found
    if not isinstance(found, Caller):
        raise ConfigurationError(
            "The caller is unknown: add accounts.authentication.middleware.AuthenticationMiddleware to MIDDLEWARE."
        )
    return found


signed_in = SignedIn()
makes_people = ServerSignedIn(PEOPLE)


def server_of(request: HttpRequest) -> ServerCaller:
    """Return the API key that a ServerSignedIn accepted. Raises ConfigurationError for an operation without it."""
    server = getattr(request, "auth", None)
    if not isinstance(server, ServerCaller):
        raise ConfigurationError("An operation of servers has no auth: give its router a ServerSignedIn.")
    return server


def caller_of(request: HttpRequest) -> Caller:
    """Return the caller whom `signed_in` accepted. Raises ConfigurationError for an operation without auth."""
    caller = getattr(request, "auth", None)
    if not isinstance(caller, Caller):
        raise ConfigurationError("An operation on a person's data has no auth: give it to NinjaAPI, not to a router.")
    return caller
