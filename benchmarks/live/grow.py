"""One message more, in conversations of 10 to 100,000 messages.

At each size twice: without searching, until all that follows is done, for what it costs; and with a search right after
each, in other words, for whether it is found. A conversation is added to by a tenth of its size at most, so small ones
are many, each of a person of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.live.client import Client
from benchmarks.live.options import Options, Times, bar, note, share
from benchmarks.live.probes import Probe, probes
from benchmarks.live.running import Cluster, Running, running
from benchmarks.live.texts import conversation, said

FIRST = 10
"""Among so many of an answer a message must be."""
FOUND_SECONDS, DRAIN_SECONDS = 60, 120
ROUNDS, SERVED_SECONDS = 8, 0.05
"""Rounds of searches at most, until in one every process has worked so long: then it has loaded its model."""
Place = tuple[Client, str]
"""Who, and in which conversation."""


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    """All sizes, and beside them those of an earlier checkout if there is one."""
    with ExitStack() as stack:
        sides = {"now": stack.enter_context(running(cluster))}
        if options.before:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="vibe-before-")))
            earlier = Cluster(folder, options.before.resolve(), short=options.short)
            stack.callback(earlier.stop)
            sides["before"] = stack.enter_context(running(earlier))
        for side in sides.values():
            warm(side, options)
        sizes: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for size in options.sizes:
            for name, side in sides.items():
                sizes[name].append(at_size(side, size, options))
                note(f"grow, {name}, {size} messages: {sizes[name][-1]['seconds']:.0f} s")
    result: dict[str, Any] = {name: told(each) for name, each in sizes.items()}
    if options.before:
        result["add_p50_against_before"] = {
            now["size"]: now["add"]["p50_ms"] / then["add"]["p50_ms"]
            for now, then in zip(sizes["now"], sizes["before"], strict=True)
        }
    return result


def told(sizes: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures with their ratios to the smallest size."""
    first = sizes[0]
    return {
        "sizes": sizes,
        "times_the_smallest": {
            each["size"]: {
                "cpu": each["cpu_ms_a_message"]["all"] / first["cpu_ms_a_message"]["all"],
                "add_p50": each["add"]["p50_ms"] / first["add"]["p50_ms"],
                "search_p50": each["search"]["p50_ms"] / first["search"]["p50_ms"],
            }
            for each in sizes
        },
    }


def warm(side: Running, options: Options) -> None:
    """Have every process load its model, then see what idling costs; once."""
    if side.idle:
        return
    side.bring(conversation("warm", "c", list(islice(said(None), 30))))
    place = side.client("warm").conversation("c")

    def ask(_: int) -> None:
        client = side.client("warm")
        client.search("What is getting warm?", FIRST, memories=side.finds_memories)
        client.close()

    with ThreadPoolExecutor(8) as several:
        for _ in range(ROUNDS):
            before = side.web_processes()
            list(several.map(ask, range(16)))
            if all(now - before.get(each, now) > SERVED_SECONDS for each, now in side.web_processes().items()):
                break
        list(several.map(lambda number: side.client("warm").add(place, f"It is warm, {number}."), range(8)))
    side.settle()
    side.measure_idle(options.idle_seconds)


def at_size(side: Running, size: int, options: Options) -> dict[str, Any]:
    """Everything of one size."""
    start = time.monotonic()
    people = max(1, options.probes // max(1, size // 10))
    with side.counted() as preloading:
        costs, finds = preload(side, size, people, twice=size < 1_000, options=options)
    seconds = time.monotonic() - start
    all_probes = probes()
    cost = added(side, costs, list(islice(all_probes, options.probes)), options)
    find = found(side, finds, list(islice(all_probes, options.probes)), options)
    imported = size * people * (2 if size < 1_000 else 1)
    return {
        "size": size,
        "conversations": people,
        "seconds": time.monotonic() - start,
        "preload_seconds": seconds,
        "preload_cpu_ms_a_message": 1_000 * sum(preloading.values()) / imported,
        **cost,
        **find,
    }


def preload(
    side: Running, size: int, people: int, *, twice: bool, options: Options, name: str = "grow"
) -> tuple[list[Place], list[Place]]:
    """Conversations of that size: those to add to, and those to search in, which are the same where they are large."""
    source = said(options.data)
    names = [f"{name}-{size}-{kind}-{number}" for kind in ("costs", "finds")[: 1 + twice] for number in range(people)]
    lines = [line for each in names for line in conversation(each, "c", list(islice(source, size)))]
    side.bring(lines)
    side.settle()
    side.server.execute("VACUUM ANALYZE")
    places = [(client := side.client(each), client.conversation("c")) for each in names]
    return places[:people], places[-people:]


def turns(places: list[Place], given: list[Probe], limit: float, name: str) -> Iterator[tuple[Client, str, Probe]]:
    """Who says what next, in turns, until the time is over."""
    end = time.monotonic() + limit
    for at, probe in enumerate(bar(given, name)):
        if time.monotonic() > end:
            return
        yield (*places[at % len(places)], probe)


def added(side: Running, places: list[Place], given: list[Probe], options: Options) -> dict[str, Any]:
    """What one message costs all processes, its story included, each after the work of the one before is done."""
    times = Times()
    with side.counted() as spent:
        for client, where, probe in turns(places, given, options.limit, f"add, {len(places)} places"):
            start = time.perf_counter()
            client.add(where, probe.statement)
            times.seconds.append(time.perf_counter() - start)
            side.drain(DRAIN_SECONDS)
        settled = side.settle()
    count = len(times.seconds)
    cpu = {kind: 1_000 * seconds / count for kind, seconds in spent.items()}
    return {"add": times.told(), "cpu_ms_a_message": {"all": sum(cpu.values()), **cpu}, "settled": settled}


def found(
    side: Running, places: list[Place], given: list[Probe], options: Options, *, first: int = FIRST
) -> dict[str, Any]:
    """Whether the very next search finds it among the first; and how long it takes from saying to finding."""
    at_once, ever, after, searches, ranks = [], [], Times(), Times(), []
    for client, where, probe in turns(places, given, options.limit, f"add and find, {len(places)} places"):
        start = time.perf_counter()
        memory = client.add(where, probe.statement)
        asked = time.perf_counter()
        answer = client.search(probe.question, first, memories=side.finds_memories)
        searches.seconds.append(time.perf_counter() - asked)
        at_once.append(memory in answer)
        while memory not in answer and time.perf_counter() - start < FOUND_SECONDS:
            time.sleep(0.02)
            answer = client.search(probe.question, first, memories=side.finds_memories)
        ever.append(memory in answer)
        if memory in answer:
            after.seconds.append(time.perf_counter() - start)
            ranks.append(answer.index(memory) + 1)
    return {
        "found_by_the_next_search": share(at_once),
        "found_within_a_minute": share(ever),
        "said_to_found": after.told(),
        "search": searches.told(),
        "mean_rank": sum(ranks) / len(ranks) if ranks else None,
    }
