"""What a run is asked for, and what is the same for its parts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes and times of a run. `short` is for trying that everything works: its figures mean little."""

    sizes: Sequence[int] = (10, 100, 1_000, 10_000, 100_000)
    probes: int = 100
    limit: float = 300.0
    """Seconds that one phase of `grow` and `peers` may take at a size; what was done by then counts."""
    peer_sizes: Sequence[int] = (10, 100, 1_000, 10_000)
    turns: int = 300
    people: int = 20
    talker: int = 10_000
    """Messages that the one has who adds ten a second."""
    imported: int = 50_000
    crowd_seconds: float = 120.0
    patience: float = 240.0
    """Seconds for which one of the crowd searches for what they said."""
    said: int = 120
    """Messages of `tokens` at each pace."""
    stored: int = 5_000
    kills: int = 60
    idle_seconds: float = 30.0
    short: bool = False
    data: Path | None = None
    before: Path | None = None
    mem0: bool = True

    def shortened(self) -> Options:
        return replace(
            self, sizes=(10, 100), probes=5, limit=12.0, peer_sizes=(10, 100), turns=8, people=5, talker=100,
            imported=300, crowd_seconds=4.0, patience=6.0, said=5, stored=300, kills=6, idle_seconds=1.0, short=True,
        )  # fmt: skip


def bar(items: Iterable[Any], name: str) -> Any:
    """A progress bar on a terminal."""
    return tqdm(items, desc=name, unit="messages", disable=None, leave=False, file=sys.stderr)


@dataclass(slots=True)
class Times:
    """Seconds of many tries, told in milliseconds."""

    seconds: list[float] = field(default_factory=list)

    def told(self) -> dict[str, float | int]:
        if not self.seconds:
            return {"count": 0}
        p50, p95, p99 = np.percentile(self.seconds, (50, 95, 99)) * 1_000
        return {"count": len(self.seconds), "p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99)}

    @property
    def median(self) -> float:
        return median(self.seconds)


def note(text: str) -> None:
    """Say how far it is, on standard error."""
    print(f"# {text}", file=sys.stderr, flush=True)


def share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None
