"""How the product grows: ten thousand, a hundred thousand, a million memories, each in a fresh database.

    python -m benchmarks.growth [--sizes 10000,100000,1000000] [--lock FILE]

For each: what a further import and a single added message take, the whole search by size of the asker's set, bytes in
the database for each memory (and of these in indexes), and the memory of the process that searched and imported, and
of the server. Then each figure's growth for ten times the memories. With --lock nothing is timed while another holds
FILE (as flock(1) does); the memories are made before.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks.crowd import START, STORY, Person, make_crowd
from benchmarks.harness import show, throw_away_database
from vibe.core.db.configured import embedded_server

SIZES = "10000,100000,1000000"
PEOPLE_FOR = 125
"""Memories a person has, on average."""
IMPORTED, ADDED, QUESTIONS, WARM = 4_000, 200, 60, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, help="memories, divided by commas")
    parser.add_argument("--lock", type=Path, help="held while things are timed")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with throw_away_database():
            show(measured(options.one, options.lock))
        return
    stages = [stage(int(size), options.lock) for size in options.sizes.split(",")]
    show({"stages": stages, "times_for_ten_times_the_memories": growth(stages)})


def stage(size: int, lock: Path | None) -> dict[str, Any]:
    """One size, in a process of its own, so that memory is that of this size."""
    command = [sys.executable, "-m", "benchmarks.growth", "--one", str(size), *(["--lock", str(lock)] if lock else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, file=sys.stderr, flush=True)  # so that a larger size that is given up takes nothing along
    return dict(json.loads(done.stdout))


def growth(stages: list[dict[str, Any]]) -> dict[str, float]:
    """From the first stage to the last: by what each figure grew for every tenfold."""
    first, last = stages[0], stages[-1]
    tenfolds = np.log10(last["memories"] / first["memories"])
    names = [name for name, value in first.items() if isinstance(value, float) and value > 0]
    return {name: float((last[name] / first[name]) ** (1 / tenfolds)) for name in names} if tenfolds else {}


def measured(size: int, lock: Path | None) -> dict[str, Any]:
    """All figures of one size."""

    with ProcessPoolExecutor(1, get_context("spawn")) as builder:  # whose memory is then given back
        crowd = builder.submit(built, size).result()
    print(f"{size:,} memories are made.", file=sys.stderr, flush=True)
    with embedded_server().connect() as server:
        server.execute("DROP TABLE plain_passages")
        memories = server.execute("SELECT count(*) FROM encrypted_memories").fetchone()[0]
        bytes_, indexed, graph = server.execute(
            "SELECT sum(pg_total_relation_size(oid)), sum(pg_indexes_size(oid)), pg_relation_size('passages_embedding')"
            " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
    with lock.open() if lock else nullcontext() as held:
        if held:
            fcntl.flock(held, fcntl.LOCK_EX)
        timed = {**searches(crowd), **writing()}
    return {
        "memories": memories,
        "people": len(crowd),
        "largest": max(person.size for person in crowd),
        "in_graph": sum(person.size for person in crowd if person.in_graph),
        "bytes_per_memory": float(bytes_ / memories),
        "index_bytes_per_memory": float(indexed / memories),
        "graph_bytes": graph,
        **timed,
        "process_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "server_mb": server_memory(),
    }


def built(size: int) -> list[Person]:
    """A crowd with that many memories, made in a process of its own."""
    import django

    django.setup()
    from django.conf import settings

    return make_crowd(
        max(size // PEOPLE_FOR, 8),
        size,
        questions=4,
        exact_up_to=settings.SEARCH_EXACT_UP_TO,
        quiet=not sys.stderr.isatty(),
        plain=False,
    )


def searches(crowd: list[Person]) -> dict[str, float]:
    """Milliseconds of the whole search at the 95th percentile, by size of the asker's set."""
    from benchmarks.search_scale import BUCKETS, knows_the_vectors, search

    knows_the_vectors(crowd)
    figures = {}
    for low, high in BUCKETS:
        inside = [person for person in crowd if low <= person.size < high]
        if not inside:
            continue
        asked = [inside[at % len(inside)] for at in range(QUESTIONS + WARM)]
        times = [search(person, person.questions[at % 4][0])[0] for at, person in enumerate(asked)][WARM:]
        name = f"{low}_{high}" if high < 10**9 else f"over_{low}"
        figures[f"search_p95_ms_{name}"] = float(np.percentile(times, 95) * 1_000)
    return figures


def writing() -> dict[str, float]:
    """Messages a second of an import among all that is there, and milliseconds of adding one, committed."""
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.imports.services.conversations import import_conversations

    actor, profile = Actor.system("benchmark"), Profile("newcomer")
    person: UUID = ensure_person(profile=profile, actor=actor)
    lines = [conversation(profile, number, number * STORY, STORY) for number in range(IMPORTED // STORY)]
    start = time.perf_counter()
    for first in range(0, len(lines), 40):
        import_conversations(user_id=person, lines=lines[first : first + 40], actor=actor)
    rate = IMPORTED / (time.perf_counter() - start)
    times = []
    for number in range(ADDED):
        start = time.perf_counter()
        import_conversations(user_id=person, lines=[conversation(profile, 0, IMPORTED + number, 1)], actor=actor)
        times.append(time.perf_counter() - start)
    return {"import_per_second": rate, "add_p95_ms": float(np.percentile(times, 95) * 1_000)}


def conversation(profile: Any, number: int, first: int, count: int) -> Any:
    """A line of an import with `count` messages, numbered from `first`."""
    from memories.imports.lines import ConversationLine, Message
    from memories.payload import Payload

    text = "It was a long day by the sea and I am glad that we went there together at last, number "
    said = tuple(
        Message(f"m{at}", Payload("Ada", f"{text}{at}."), START + timedelta(minutes=at))
        for at in range(first, first + count)
    )
    return ConversationLine(number + 1, profile, f"c{number}", None, None, START, said)


def server_memory() -> float:
    """Megabytes that the server's processes hold by themselves (private pages), where /proc tells."""

    pids = [int(Path(embedded_server().data, "postmaster.pid").read_text().split()[0])]
    children = Path(f"/proc/{pids[0]}/task/{pids[0]}/children")
    if not children.exists():
        return 0.0
    pids += [int(pid) for pid in children.read_text().split()]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024


if __name__ == "__main__":
    main()
