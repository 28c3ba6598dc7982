"""A time that everything asked for together has to keep to."""

from __future__ import annotations

import time


class Deadline:
    """So many seconds from now, by a clock that nobody sets."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, never fewer than 0."""
        return max(0.0, self.ends - time.monotonic())
