"""Who calls an operation of the API."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.authentication.caller import Caller
from vibe.core.errors import ConfigurationError


def caller_of(request: HttpRequest) -> Caller:
    """Whom `signed_in` let in. Raises ConfigurationError for an operation that asks nobody in."""
    caller = getattr(request, "auth", None)
    if not isinstance(caller, Caller):
        raise ConfigurationError("An operation on a person's data has no auth: give it to NinjaAPI, not to a router.")
    return caller
