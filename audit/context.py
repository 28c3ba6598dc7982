"""Audit context of the current request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from audit.actors import Actor, Origin
from vibe.core.errors import ConfigurationError
from vibe.core.http.context import RequestContext


def no_transaction() -> None:
    raise ConfigurationError("A request has no transaction: add audit.middleware.AuditMiddleware to MIDDLEWARE.")


@dataclass(kw_only=True)
class AuditContext(RequestContext):
    """The actor and origin of a request, and how its transaction begins."""

    origin: Origin
    actor: Actor | None = None
    """Defaults to the signed-in user."""
    person: UUID | None = None
    """The person whose rows a request to the API may see."""
    begin: Callable[[], None] = no_transaction
    """Begins the transaction unless it has begun."""
