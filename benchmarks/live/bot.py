"""A companion: somebody says something, the bot adds it, searches for it in other words, replies, and adds the reply.

Beside it is watched when each episode's story is there. An episode is closed when a later one of its conversation is
seen; the last one is closed by a message three hours later. Where a conversation is one story, nothing is closed.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from benchmarks.live import grow
from benchmarks.live.options import Options, Times, bar, share
from benchmarks.live.probes import probes
from benchmarks.live.running import Cluster, Running, running
from benchmarks.live.texts import conversation, said

FIRST = 10
STORY_SECONDS = 90
LOOK_EVERY_SECONDS = 1.0


class Watch(threading.Thread):
    """Looks through the API when stories come, and when they have a title."""

    def __init__(self, side: Running, person: str) -> None:
        super().__init__(daemon=True)
        self.client, self.over = side.client(person), threading.Event()
        self.seen: dict[str, float] = {}
        self.titled: dict[str, float] = {}
        self.begins: dict[str, str] = {}

    def run(self) -> None:
        while not self.over.wait(LOOK_EVERY_SECONDS):
            now = time.monotonic()
            for story in self.client.stories():
                self.seen.setdefault(story["id"], now)
                self.begins[story["id"]] = story["occurred_from"]
                if story["title"] is not None:
                    self.titled.setdefault(story["id"], now)

    def waits(self) -> list[float | None]:
        """Seconds from each closing, which is when the next story was first seen, to the title; None: it never came."""
        order = sorted(self.begins, key=lambda story: datetime.fromisoformat(self.begins[story]))
        return [
            max(0.0, self.titled[story] - self.seen[later]) if story in self.titled else None
            for story, later in pairwise(order)
        ]


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    with running(cluster) as side:
        grow.warm(side, options)
        side.bring(conversation("bot", "c", list(islice(said(options.data), 10))))
        side.settle(quiet=False)
        client, watch = side.client("bot"), Watch(side, "bot")
        where = client.conversation("c")
        watch.start()
        before_reply, cycle = [], Times()
        for probe in bar(list(islice(probes(), options.turns)), "turns"):
            start = time.perf_counter()
            memory = client.add(where, probe.statement)
            before_reply.append(memory in client.search(probe.question, FIRST, memories=side.finds_memories))
            client.add(where, f"I see. You said: {probe.statement}", author="Companion")
            cycle.seconds.append(time.perf_counter() - start)
        later = datetime.now(UTC) + timedelta(hours=3)
        client.add(where, "Good morning! That was a short night.", at=later.isoformat())
        deadline = time.monotonic() + (3 if options.short else STORY_SECONDS + 30)
        while time.monotonic() < deadline and (len(watch.begins) < 2 or None in watch.waits()):
            time.sleep(LOOK_EVERY_SECONDS)
        watch.over.set()
        watch.join()
        waits = watch.waits()
        return {
            "turns": len(before_reply),
            "found_before_the_reply": share(before_reply),
            "turn": cycle.told(),
            "stories": len(watch.begins),
            "closed": len(waits),
            "story_seconds_after_closing_at_most": max((each for each in waits if each is not None), default=None),
            "closed_without_a_story_in_time": sum(each is None or each > STORY_SECONDS for each in waits),
        }
