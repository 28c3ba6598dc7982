"""How often a key service is asked: unwraps a minute per thousand people who are active, by bound and processes.

    python -m benchmarks.key_services

No service is asked: the cache of the product runs over a made-up hour. Each of a thousand people is active for the
whole hour and sends a request every `pause` seconds on average, to one of the processes by chance. Each request opens
their data key and their name. The first ten minutes are left out.
"""

from __future__ import annotations

import heapq
import json
import random
from typing import Any
from unittest import mock

PEOPLE, HOUR, BEGIN = 1_000, 3_600.0, 600.0


class Counting:
    """A key service that counts what it unwraps."""

    name = "counting"

    def __init__(self) -> None:
        self.unwrapped = 0

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return key + context

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        self.unwrapped += 1
        return wrapped[: len(wrapped) - len(context)]


def unwraps_a_minute(*, seconds: float, processes: int, pause: float) -> float:
    """Let an hour pass, and return the unwraps a minute."""
    from accounts.keys.providers import service_key

    chance, now, service = random.Random(1), [0.0], Counting()
    with mock.patch.object(service_key.time, "monotonic", lambda: now[0]):
        keys = [service_key.ServiceKey(service, cache_seconds=seconds) for _ in range(processes)]
        maker = service_key.ServiceKey(service, cache_seconds=1)
        places = [f"{kind} of {number}".encode() for number in range(PEOPLE) for kind in ("key", "name")]
        stored = [(maker.wrap(bytes(32), place), place) for place in places]
        due = [(chance.uniform(0, pause), person) for person in range(PEOPLE)]
        heapq.heapify(due)
        before = 0
        while due[0][0] < HOUR:
            now[0], person = due[0]
            heapq.heapreplace(due, (now[0] + chance.expovariate(1 / pause), person))
            if now[0] < BEGIN:
                before = service.unwrapped
            for wrapped, place in stored[2 * person : 2 * person + 2]:
                chance.choice(keys).unwrap(wrapped, place)
    return (service.unwrapped - before) / ((HOUR - BEGIN) / 60)


def measure() -> list[dict[str, Any]]:
    """Measure all combinations that docs/key-services.md shows."""
    return [
        {
            "cache_seconds": seconds,
            "processes": processes,
            "pause": pause,
            "unwraps_a_minute": round(unwraps_a_minute(seconds=seconds, processes=processes, pause=pause)),
        }
        for pause in (10.0, 60.0)
        for processes in (1, 4)
        for seconds in (60, 300, 900)
    ]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
