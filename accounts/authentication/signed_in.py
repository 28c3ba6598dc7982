"""What an API asks for a signed-in caller. `NinjaAPI(auth=signed_in)`; `auth=SignedIn("export")` for one operation.

The middleware (accounts.authentication.middleware) finds out who calls before the request's transaction begins. Here
the caller is handed over, or the reason why nobody is known is raised, so that the trail has it.
"""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase

from accounts.authentication.caller import Caller
from accounts.authentication.context import CallerContext
from audit.actors import Actor
from vibe.core.errors import ConfigurationError, VibeError
from vibe.core.http.context import context_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


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
