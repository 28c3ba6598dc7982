"""What the fence costs: a story of 40 messages and its vectors, made in this process and in a child.

    python -m benchmarks.fences [--rounds N]

Both ways take turns. Milliseconds are the median, of the processor (`cpu`, which others change less) and by the clock;
`extra` is fenced less in process. Memory is the proportional set size in MB: a page that two processes share counts
half for each (Linux). `new_child` is the first story of a child, `start` the first of a fork server.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.harness import show

SAMPLE = Path(__file__).resolve().parent.parent / "memories" / "sample" / "conversations.jsonl"
MESSAGES = 40
START = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")
    import django

    django.setup()
    show(measured(options.rounds))


def measured(rounds: int) -> dict[str, Any]:
    """All figures."""
    from stories.processors import fenced
    from stories.processors.base import Message, Transcript
    from stories.processors.embedding import OfflineEmbedder
    from stories.processors.offline.processor import OfflineProcessor

    lines = map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines())
    said = [(message["author"], message["text"]) for line in lines for message in line["messages"]][:MESSAGES]
    talk = Transcript("", tuple(Message(str(at), *each, START + timedelta(minutes=at)) for at, each in enumerate(said)))
    texts = [text for _, text in said]
    processor, embedder = OfflineProcessor(), OfflineEmbedder()

    def in_process() -> None:
        processor.compose(talk)
        embedder.embed(texts)

    def in_child() -> None:
        fenced.build_draft(talk, processor)
        fenced.embed_many(texts, embedder)

    memory = {"process without the model": pss(os.getpid())}
    _, start = timed(in_child)
    server = fenced._pool._server
    assert server
    [child] = below(server.process.pid)
    memory |= {"fork server": pss(server.process.pid), "child": pss(child), "child alone": pss(child, "Private_Dirty")}
    in_process()
    memory["process with the model"] = pss(os.getpid())
    here, there = [], []
    for _ in range(rounds):
        here.append(timed(in_process))
        there.append(timed(in_child))
    new = []
    for _ in range(max(3, rounds // 4)):
        fenced._pool._idle.pop().close()
        while below(server.process.pid):
            time.sleep(0.01)
        new.append(timed(in_child))
    ways = {"in_process": here, "fenced": there, "new_child": new}
    told = {
        kind: {way: statistics.median(each[at] for each in all_) for way, all_ in ways.items()}
        for at, kind in enumerate(("cpu_milliseconds", "milliseconds"))
    }
    for each in told.values():
        each["extra"] = each["fenced"] - each["in_process"]
    fenced.close()
    return {"messages": MESSAGES, **told, "start_milliseconds": start, "memory_mb": memory}


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds of the processor, of this thread and all processes below, and by the clock."""
    cpu, clock = time.thread_time() + cpu_below(os.getpid()), time.perf_counter()
    work()
    return (
        1000 * (time.thread_time() + cpu_below(os.getpid()) - cpu),
        1000 * (time.perf_counter() - clock),
    )


def cpu_below(process: int) -> float:
    """Seconds that the processes below one have worked so far."""
    return sum(
        int(Path(f"/proc/{each}/schedstat").read_text().split()[0]) / 1e9 + cpu_below(each) for each in below(process)
    )


def below(process: int) -> list[int]:
    """The children of a process."""
    found = (each.read_text().split() for each in Path(f"/proc/{process}/task").glob("*/children"))
    return [int(child) for children in found for child in children]


def pss(process: int, what: str = "Pss") -> int:
    """Memory of a process in MB."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    main()
