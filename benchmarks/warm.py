"""A web server's first search beside its later ones, and the memory of its processes, with and without warming up.

    python -m benchmarks.warm

The server has one process and is started anew each time. One person searches first, then another, whose vectors are as
new to the process as the first one's, then both again. Milliseconds are of the clock and of the server's processor.
Memory is of four processes and their parent after a hundred searches: PSS counts a page that several processes share in
parts, RSS in each of them (proc_pid_smaps(5)). Without warming up, each process loads for itself what it needs.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database
from benchmarks.replicas import url
from tests.installation import FREE
from tests.servers import Server, started_by

STARTS, LATER, PROCESSES = 5, 10, 4
COLD = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")
import django
django.setup()
from vibe.serving import web
web.warm_up = lambda: None
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv[1:])
"""


class ColdServer(Server):
    """A server whose processes load what they need when they need it."""

    def start(self) -> None:
        if "-c" not in self.command:
            self.command = [sys.executable, "-c", COLD, *self.command[1:]]
        super().start()


def main() -> None:
    with throw_away_database() as folder:
        people = make_people()
        for kind, name in ((ColdServer, "cold"), (Server, "warm")):
            show({name: searches(kind, folder, people) | memory(kind, folder, people)})


def make_people() -> list[dict[str, str]]:
    """Make two people with two hundred memories each, indexed, and return what signs them in."""
    from accounts.authentication import local_tokens
    from accounts.people.services.people import Profile, ensure_person
    from memories.imports.lines import ConversationLine, Message
    from memories.imports.services.conversations import import_conversations
    from memories.payload import Payload
    from tests.building import index_all
    from tests.cast import DAY, TESTER

    texts = [f"Day {at}: I walked to shop {at % 17} in Lisbon." for at in range(200)]
    said = tuple(Message(f"m{at}", Payload("Ada", text), DAY) for at, text in enumerate(texts))
    for uid in ("ada", "jonas"):
        user_id = ensure_person(profile=Profile(uid), actor=TESTER)
        line = ConversationLine(1, Profile(uid), "walks", "Walks", None, DAY, said)
        import_conversations(user_id=user_id, lines=[line], actor=TESTER)
        index_all(user_id)
    return [{"Authorization": f"Bearer {local_tokens.issue(uid=uid, seconds=86_000)}"} for uid in ("ada", "jonas")]


def search(server: Server, headers: dict[str, str]) -> tuple[float, float]:
    """Return the milliseconds of one search, by the clock and of the processor."""
    began, busy = time.perf_counter(), processor_time(server)
    question = json.dumps({"question": "Which shop did I walk to?"}).encode()
    status, answer = server.post("/api/v1/memories/search", question, **headers)
    assert status == 200, answer
    return (time.perf_counter() - began) * 1_000, (processor_time(server) - busy) * 1_000


def processor_time(server: Server) -> float:
    """Return the seconds of the processor that the server's processes took, threads that ended too.

    A process's clock is named by its number: clock_getcpuclockid(3), which Python lacks.
    """
    return sum(time.clock_gettime((~each << 3) | 2) for each in (server.process.pid, *started_by(server.process.pid)))


def searches(kind: type[Server], folder: Path, people: list[dict[str, str]]) -> dict[str, Any]:
    """Time the searches after each of a few starts."""
    ready, first, other, later = [], [], [], []
    for _ in range(STARTS):
        server = kind(url("vibe"), folder / "log", "--threads", "1", **FREE)
        ready.append((server.wait_ready(), processor_time(server)))
        first.append(search(server, people[0]))
        other.append(search(server, people[1]))
        later += [search(server, people[at % 2]) for at in range(LATER)]
        server.stop()

    def median(pairs: list[tuple[float, float]]) -> dict[str, float]:
        clock, processor = zip(*pairs, strict=True)
        return {"clock": statistics.median(clock), "processor": statistics.median(processor)}

    return {
        "ready_s": median(ready),
        "first_ms": median(first),
        "first_of_another_person_ms": median(other),
        "later_ms": median(later),
    }


def memory(kind: type[Server], folder: Path, people: list[dict[str, str]]) -> dict[str, Any]:
    """Return the MB of memory of all processes."""
    server = kind(url("vibe"), folder / "log", "--processes", str(PROCESSES), **FREE)
    server.wait_ready()
    for at in range(100):
        search(server, people[at % 2])
    sizes = [sizes_of(process) for process in (server.process.pid, *started_by(server.process.pid))]
    server.stop()
    return {
        "mb_of_each": [{"pss": pss, "rss": rss} for pss, rss in sizes],
        "pss_mb": sum(pss for pss, _ in sizes),
        "rss_mb": sum(rss for _, rss in sizes),
    }


def sizes_of(process: int) -> tuple[float, float]:
    """Return the PSS and the RSS of a process in MB."""
    told = dict(line.split(":") for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    pss, rss = (int(told[name].split()[0]) / 1_024 for name in ("Pss", "Rss"))
    return pss, rss


if __name__ == "__main__":
    main()
