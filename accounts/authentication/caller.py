"""Who calls the API, once that is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from accounts.authentication.errors import ScopeMissing
from accounts.models.scopes import ALL_SCOPES
from audit.actors import Actor, Origin


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
