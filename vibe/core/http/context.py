"""What is known of a request while it is answered: one typed object, set by the outermost of our middleware.

An app that has more to say of a request extends the context of the layer below it. Whoever needs a context asks
`context_of` for the type whose fields it uses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpRequest

from vibe.core.errors import ConfigurationError
from vibe.core.http.bodies import NO_BODY, BodyLimit


@dataclass(kw_only=True)
class Entry:
    """What the audit log will say of the request; views fill in what only they know."""

    action: str = ""
    subject: UUID | None = None
    resource: str = ""
    outcome: str = ""
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def no_preflight() -> ConfigurationError:
    return ConfigurationError("Nothing was done beforehand: vibe.api.decorators is not around this operation.")


@dataclass(kw_only=True)
class RequestContext:
    """What needs neither the audit log nor accounts."""

    entry: Entry = field(default_factory=Entry)
    body_limit: BodyLimit = NO_BODY
    query: frozenset[str] = frozenset()
    """The query parameters that the operation knows."""
    preflight: Any = field(default_factory=no_preflight)
    """What the operation's preflight gave, or the error that it raised."""


Context = TypeVar("Context", bound=RequestContext)


def set_context(request: HttpRequest, context: RequestContext) -> None:
    """Begin what is known of a request."""
    request.context = context  # type: ignore[attr-defined]


def context_of(request: HttpRequest, kind: type[Context]) -> Context:
    """Get what is known of a request. Raises ConfigurationError where the middleware that sets it is missing."""
    found = find_context(request, kind)
    if found is None:
        raise ConfigurationError("A request has no context: put vibe.middleware.Observed first in MIDDLEWARE.")
    return found


def find_context(request: HttpRequest | None, kind: type[Context]) -> Context | None:
    """The same for receivers of signals, which may be sent without a request that came in."""
    found = getattr(request, "context", None)
    return found if isinstance(found, kind) else None
