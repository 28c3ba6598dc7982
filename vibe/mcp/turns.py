"""How many calls of one person are worked on, and how many wait."""

from __future__ import annotations

from asyncio import Semaphore
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from accounts.authentication.errors import TooManyRequests

AT_ONCE: Final = 2  # of vibe.mcp.calls.THREADS: four people can keep all of them busy, and one cannot
WAITING: Final = 30
RETRY_SECONDS: Final = 1


class Turns:
    """Lets a few calls of each person through at a time. The others wait in order; beyond WAITING they are refused."""

    def __init__(self) -> None:
        self._present: Counter[UUID] = Counter()
        self._free: dict[UUID, Semaphore] = {}

    @asynccontextmanager
    async def of(self, person: UUID) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the block. Raises TooManyRequests."""
        if self._present[person] >= AT_ONCE + WAITING:
            raise TooManyRequests(retry_after=RETRY_SECONDS)
        self._present[person] += 1
        try:
            async with self._free.setdefault(person, Semaphore(AT_ONCE)):
                yield
        finally:
            self._present[person] -= 1
            if not self._present[person]:
                del self._present[person], self._free[person]
