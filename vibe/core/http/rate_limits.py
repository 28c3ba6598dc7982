"""Rate limits: a token bucket for each caller, stored as one point in time. A large body costs as many small ones.

The moment is when the bucket will be full again (GCRA, ITU-T I.371): each request moves it on by one step, and is
refused when that would be further away than the whole bucket.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from vibe.core.errors import ConfigurationError

BYTES_A_TOKEN: Final = 64 * 1024  # of a body: reading, sealing and storing that much takes as long as a small request


def cost_of_body(length: str) -> int:
    """Return how many requests one with this Content-Length counts for. What is no number is refused later."""
    return 1 + int(length[:18]) // BYTES_A_TOKEN if length.isascii() and length.isdecimal() else 1


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a minute for good, and so many at once."""

    per_minute: int
    burst: int

    @classmethod
    def parse(cls, name: str, text: str) -> Self | None:
        """`600/100`: 600 a minute, 100 at once; `off`: no limit, None. Raises ConfigurationError with the name."""
        if text.strip().lower() == "off":
            return None
        per_minute, _, burst = text.partition("/")
        if not (per_minute.strip().isdecimal() and burst.strip().isdecimal() and int(per_minute) and int(burst)):
            raise ConfigurationError(f"{name} is not a limit. Set it like 600/100 (a minute / at once), or to off.")
        return cls(int(per_minute), int(burst))

    @property
    def step(self) -> float:
        """Seconds until one more request is allowed."""
        return 60 / self.per_minute

    @property
    def span(self) -> float:
        """Seconds in which an empty bucket is full again."""
        return self.burst * self.step


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """What counting one request gave."""

    rate: Rate
    until_full: float  # seconds
    refused: int = 0  # one after another, this one included
    cost: int = 1

    @property
    def allowed(self) -> bool:
        return not self.refused

    @property
    def remaining(self) -> int:
        """Requests that would be allowed right now."""
        return max(0, math.floor(self.rate.burst - self.until_full / self.rate.step + 1e-6))

    @property
    def retry_after(self) -> int:
        """Whole seconds until this request is allowed, 1 at least."""
        return max(1, math.ceil(self.until_full + self.cost * self.rate.step - self.rate.span))

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        window = max(1, math.ceil(self.rate.span))
        return {
            "RateLimit-Policy": f'"requests";q={self.rate.burst};w={window}',
            "RateLimit": f'"requests";r={self.remaining};t={max(0, math.ceil(self.until_full))}',
        }
