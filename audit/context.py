"""What the audit log knows of a request while it is answered."""

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
    """Who makes the request, from where, and how its transaction begins."""

    origin: Origin
    actor: Actor | None = None
    """Whoever is signed in, if nobody is named."""
    person: UUID | None = None
    """Whose rows a request to the API may see."""
    begin: Callable[[], None] = no_transaction
    """Begin the transaction, unless it has begun."""
