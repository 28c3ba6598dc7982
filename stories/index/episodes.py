"""Which episode of a conversation a memory belongs to. Plain values: nothing here reads a database.

A conversation is cut into episodes by time: one ends when nothing is said for a while. An episode that has become full
is cut once more, where it holds together least: TextTiling (Hearst, 1997) over vectors, with the pauses counted in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vibe.core.db.schema.owned import uuid7

AROUND = 3
"""Messages before and after a joint whose likeness is compared."""
LEAST = 0.25
"""Of an episode's messages that the part before a cut has at least."""


@dataclass(slots=True)
class Episode:
    """An episode as memories are placed in it. `added` counts those that were placed since it was read."""

    id: UUID
    began: datetime
    ended: datetime
    is_open: bool
    is_new: bool = False
    added: int = 0

    def holds(self, at: datetime) -> bool:
        """Return whether a moment lies in its span."""
        return self.began <= at <= self.ended

    def add(self, at: datetime) -> None:
        """Count a memory in, and stretch the span over it."""
        self.began, self.ended, self.added = min(self.began, at), max(self.ended, at), self.added + 1


class Timeline:
    """The episodes of one conversation, while memories are placed in them.

    `closed_around` reads the closed episode whose span holds a moment; `last_end` is when the last closed one ends.
    """

    def __init__(
        self,
        current: Episode | None,
        *,
        gap: timedelta,
        last_end: datetime | None,
        closed_around: Callable[[datetime], Episode | None],
    ) -> None:
        self._open, self._gap, self._last_end, self._closed_around = current, gap, last_end, closed_around
        self.touched: dict[UUID, Episode] = {}

    def place(self, at: datetime) -> Episode:
        """Return the episode of a memory said at this moment, counted in.

        What follows the open episode within the gap belongs to it; after the gap a new one begins. What comes late goes
        to the episode whose span holds its time, else into a closed one of its own.
        """
        episode = self._episode_for(at)
        episode.add(at)
        self.touched[episode.id] = episode
        return episode

    def _episode_for(self, at: datetime) -> Episode:
        current = self._open
        if current is not None and at >= current.began - self._patience():
            if at <= current.ended + self._gap:
                return current
            current.is_open = False
            self.touched[current.id] = current
            self._last_end = max(filter(None, (self._last_end, current.ended)))
            current = None
        if current is None and (self._last_end is None or at > self._last_end):
            self._open = Episode(uuid7(), at, at, is_open=True, is_new=True)
            return self._open
        there = next((each for each in self.touched.values() if not each.is_open and each.holds(at)), None)
        there = there or self._closed_around(at)
        if there is not None:
            return self.touched.get(there.id, there)
        return Episode(uuid7(), at, at, is_open=False, is_new=True)

    def _patience(self) -> timedelta:
        """Return how far before the open episode's start a message still belongs to it: clocks differ a little."""
        if self._open is None or self._last_end is None:
            return self._gap
        return max(timedelta(), min(self._gap, self._open.began - self._last_end))


def weakest_joint(times: Sequence[datetime], vectors: NDArray[np.float32] | None, gap: timedelta) -> int:
    """Return how many of the messages go before the cut, 1 to n - 1.

    times: (n,) in order. vectors: (n, d), zeros where unknown, or None; a rotation of all of them changes nothing.
    """
    size = len(times)
    first = max(1, int(size * LEAST))
    pauses = np.array([(later - earlier).total_seconds() for earlier, later in pairwise(times)])
    weakness = np.log1p(np.maximum(pauses, 0)) / np.log1p(gap.total_seconds())
    if vectors is not None:
        weakness = weakness + [1 - _likeness(vectors, at) for at in range(1, size)]
    return first + int(np.argmax(weakness[first - 1 :]))


def _likeness(vectors: NDArray[np.float32], at: int) -> float:
    """Return the cosine of what stands before and after a joint; 0 where one side has no direction."""
    before, after = vectors[max(0, at - AROUND) : at].sum(axis=0), vectors[at : at + AROUND].sum(axis=0)
    lengths = float(np.linalg.norm(before) * np.linalg.norm(after))
    return float(before @ after) / lengths if lengths else 0.0
