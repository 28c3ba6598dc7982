"""kill -9 of server processes, workers, their children, backends and the postmaster, while people add memories.

Each request has an Idempotency-Key and is sent again until it is acknowledged. At the end everything acknowledged must
be there, once, and be found by its word. (By the hundred thousand, and with the audit log proven: benchmarks.kills.)
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from random import Random
from typing import Any
from uuid import uuid4

from benchmarks.live.options import Options, bar, share
from benchmarks.live.probes import Probe, made_up_words
from benchmarks.live.running import Cluster, Running, below, children, is_web, running
from benchmarks.live.texts import conversation, said
from tests.installation import title
from vibe.core.db.embedded.server import OWNER

WRITERS, FIRST, LOOKED_FOR = 3, 5, 300
PAUSE_SECONDS = 0.05
POSTMASTER = "postmaster"
LIMIT_SECONDS = 300


class Writer(threading.Thread):
    """Adds until told to stop."""

    def __init__(self, side: Running, person: str, given: Iterator[Probe], over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.client, self.given, self.over = side.client(person), given, over
        self.where = self.client.conversation("c")
        self.done: dict[str, Probe] = {}
        """What was acknowledged, by the id of its memory."""
        self.failed: Counter[str] = Counter()

    def run(self) -> None:
        path = f"/api/v1/conversations/{self.where}/memories"
        while not self.over.is_set():
            probe, key = next(self.given), uuid4().hex
            said_ = {"author": "Ada", "text": probe.statement}
            made = insist(lambda: self.client.send("POST", path, said_, **{"Idempotency-Key": key}), self.failed)  # noqa: B023
            self.done[made["id"]] = probe
            time.sleep(PAUSE_SECONDS)

    def texts(self) -> Counter[str]:
        """What is there."""
        return Counter(each["text"] for each in self.client.pages(f"/api/v1/conversations/{self.where}/memories"))


def insist(ask: Callable[[], Any], failed: Counter[str]) -> Any:
    """Ask until it is answered."""
    while True:
        try:
            return ask()
        except (OSError, http.client.HTTPException) as problem:
            failed[type(problem).__name__] += 1
        except RuntimeError as refusal:
            failed[str(refusal).partition(":")[0].rpartition(" ")[2]] += 1
        time.sleep(0.1)


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    chance, struck = Random(7), Counter[str]()
    with running(cluster) as side:
        people = [f"writer-{number}" for number in range(WRITERS)]
        side.bring([line for person in people for line in conversation(person, "c", list(islice(said(None), 10)))])
        side.settle(quiet=False)
        words, over = list(islice(made_up_words(), 30_000)), threading.Event()
        writers = [Writer(side, person, iter(words[at::WRITERS]), over) for at, person in enumerate(people)]
        for writer in writers:
            writer.start()
        kinds = targets(side)
        for _ in bar(range(options.kills), "kills"):
            before = acknowledged(writers)
            kind = chance.choice(list(kinds))
            if strike(side, kind, kinds[kind](), chance):
                struck[kind] += 1
            wait_for(lambda before=before: acknowledged(writers) > before)
            time.sleep(chance.random() / 2)
        over.set()
        for writer in writers:
            writer.join()
        side.server = cluster.postgres.connect(side.database)
        settled = side.settle()
        return {"kills": dict(struck), **checked(side, writers), "settled": settled}


def acknowledged(writers: list[Writer]) -> int:
    return sum(len(writer.done) for writer in writers)


def targets(side: Running) -> dict[str, Callable[[], list[int]]]:
    """The processes of each kind, as they are now."""

    def masters(of_web: bool) -> list[int]:
        return [each for each in children(side.process.pid) if is_web(each) == of_web]

    return {
        "web process": lambda: [child for master in masters(True) for child in children(master)],
        "worker": lambda: masters(False),
        "child of a worker": lambda: [child for master in masters(False) for child in below(master)],
        "backend": lambda: [
            each for each in below(side.cluster.postmaster()) if title(each).startswith(f"postgres: {OWNER} ")
        ],
        POSTMASTER: lambda: [side.cluster.postmaster()],
    }


def strike(side: Running, kind: str, processes: list[int], chance: Random) -> bool:
    """Kill one of them; whether there was one."""
    if not processes:
        return False
    with suppress(ProcessLookupError):
        os.kill(chance.choice(processes), signal.SIGKILL)
    if kind == POSTMASTER:
        time.sleep(chance.random() / 2)
        side.cluster.restart()
    return True


def wait_for(holds: Callable[[], bool]) -> None:
    """A strike is worth something only where work is done in between."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing was acknowledged for {LIMIT_SECONDS} s.")
        time.sleep(0.02)


def checked(side: Running, writers: list[Writer]) -> dict[str, Any]:
    """What became of what was acknowledged."""
    lost = doubled = 0
    found, failed = [], Counter[str]()
    for writer in writers:
        there = writer.texts()
        lost += sum(probe.statement not in there for probe in writer.done.values())
        doubled += sum(times > 1 for text, times in there.items() if text.startswith("The boat"))
        failed += writer.failed
        for memory, probe in bar(
            list(writer.done.items())[:: max(1, len(writer.done) * WRITERS // LOOKED_FOR)], "look"
        ):
            found.append(memory in writer.client.search(probe.question, FIRST, memories=side.finds_memories))
    return {
        "acknowledged": acknowledged(writers),
        "lost": lost,
        "doubled": doubled,
        "looked_for": len(found),
        "found": share(found),
        "requests_that_failed_at_first": dict(failed),
    }
