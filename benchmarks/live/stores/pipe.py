"""A store beside ours in a process of its own, told what to do by lines of JSON. Embeds by itself, with our model.

The environment names the database (PEER_DSN). Each line is {"do": ..., ...}; each answer a line with what it took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol


class Store(Protocol):
    """Keeps what people say, and finds it again."""

    def fill(self, person: str, texts: Sequence[str]) -> None:
        """Keep many."""

    def add(self, person: str, text: str) -> str:
        """Keep one, and give its id."""

    def search(self, person: str, question: str, limit: int) -> list[str]:
        """Ids of the best, best first."""


def run(store: Store) -> None:
    """Obey until the input ends."""
    said, sys.stdout = sys.stdout, sys.stderr  # what a package prints is no answer
    for line in sys.stdin:
        told: dict[str, Any] = json.loads(line)
        what = told.pop("do")
        start, worked = time.perf_counter(), time.process_time()
        gave = getattr(store, what)(**told)
        took = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - worked}
        said.write(json.dumps({"gave": gave, **took}) + "\n")
        said.flush()
