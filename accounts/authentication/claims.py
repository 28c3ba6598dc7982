"""What a verified token says of a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from accounts.authentication.errors import TokenInvalid
from accounts.people.services.people import Profile

UID_LENGTH, EMAIL_LENGTH, NAME_LENGTH = 128, 254, 200
LATEST = 2**37  # seconds, in the year 6325: beyond 9999 there are no dates


@dataclass(frozen=True, slots=True)
class Claims:
    """Of an ID token: whose it is and when they signed in. Email and name do not print."""

    issuer: str
    uid: str
    signed_in_at: datetime
    email: str | None = field(default=None, repr=False)
    email_verified: bool = False
    name: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, issuer: str, claims: Mapping[str, Any]) -> Self:
        """Raises TokenInvalid for a person's id that is none, or a time that is none."""
        uid, at = claims.get("sub"), claims.get("auth_time")
        if not isinstance(uid, str) or not 0 < len(uid) <= UID_LENGTH or not uid.isprintable():
            raise TokenInvalid("The token names nobody ('sub'). Sign in again.")
        if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < LATEST:
            raise TokenInvalid("The token does not say when its person signed in ('auth_time'). Sign in again.")
        return cls(
            issuer,
            uid,
            datetime.fromtimestamp(at, UTC),
            email=fitting(claims.get("email"), EMAIL_LENGTH),
            email_verified=claims.get("email_verified") is True,
            name=fitting(claims.get("name"), NAME_LENGTH),
        )

    def profile(self, *, unverified_email: str) -> Profile:
        """What is kept of it: an address that nobody has verified may be somebody else's."""
        kept = self.email if self.email_verified or unverified_email == "accept" else None
        return Profile(self.uid, email=kept, name=self.name, email_verified=bool(kept and self.email_verified))


def fitting(value: Any, length: int) -> str | None:
    """A text that its column can hold, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= length and value.isprintable() else None
