"""Who does something, and from where. Nobody is nobody: what happens of itself has the system as its actor, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from audit.client.address import ClientAddress


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from. Work that no request asked for has an empty one."""

    address: ClientAddress | None = None
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a member of staff, the system under a name, or nobody known."""

    kind: str
    id: str = ""
    origin: Origin = field(default_factory=Origin)
    client: str = ""  # what acts for them, where it is not they themselves: an API key, an agent

    @classmethod
    def person(cls, user_id: UUID, origin: Origin, *, client: str = "") -> Actor:
        """Somebody whose data this is about, and what acts for them."""
        return cls("person", str(user_id), origin, client)

    @classmethod
    def staff(cls, user_id: UUID, origin: Origin) -> Actor:
        """A signed-in member of staff."""
        return cls("staff", str(user_id), origin)

    @classmethod
    def system(cls, name: str, origin: Origin | None = None) -> Actor:
        """A command or a job, by its name; or what a request set going before anybody was known."""
        return cls("system", name, origin or Origin())

    @classmethod
    def anonymous(cls, origin: Origin) -> Actor:
        """A request that nobody has signed in for."""
        return cls("anonymous", "", origin)
