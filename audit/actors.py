"""Actors of recorded actions, and the origin of requests. Automatic work has a named system actor."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from audit.client import ClientAddress


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a request; empty for work outside requests."""

    address: ClientAddress | None = None
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a member of staff, a named part of the system, or an anonymous client."""

    kind: str
    id: str = ""
    origin: Origin = field(default_factory=Origin)
    client: str = ""  # what acts on their behalf, if anything: an API key, an agent

    @classmethod
    def person(cls, user_id: UUID, origin: Origin, *, client: str = "") -> Actor:
        """Return a person as actor, with the client that acts on their behalf."""
        return cls("person", str(user_id), origin, client)

    @classmethod
    def staff(cls, user_id: UUID, origin: Origin) -> Actor:
        """Return a signed-in member of staff as actor."""
        return cls("staff", str(user_id), origin)

    @classmethod
    def system(cls, name: str, origin: Origin | None = None) -> Actor:
        """Return a named command or job as actor, or work of a request before authentication."""
        return cls("system", name, origin or Origin())

    @classmethod
    def anonymous(cls, origin: Origin) -> Actor:
        """Return the actor of a request without a signed-in user."""
        return cls("anonymous", "", origin)
