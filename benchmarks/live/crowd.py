"""Twenty people: one adds ten messages a second into a long conversation, one imports, and the others go on as before.

Another's time from saying to finding, beside them and alone; how old the unsealed log gets; when an export starts. And
the same person's adding while their index is moved into the shared graph, embedded anew and indexed anew.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle, islice
from typing import Any

from benchmarks.live import grow
from benchmarks.live.options import Options, Times, note
from benchmarks.live.probes import Probe, made_up_words
from benchmarks.live.running import PERIODIC, Cluster, Running, running
from benchmarks.live.texts import SESSION, conversation, said

RATE, AT_ONCE = 10, 8
"""Messages a second of the one who talks, over so many connections at most."""
FIRST, EACH = 5, 100
PAUSE_SECONDS = 0.2
LONGEST = 5
"""Times the crowd's seconds, for a bulk job of the same person."""
RENAMED = {"STORY_EMBEDDER": "benchmarks.live.renamed.Renamed", "STORY_EMBEDDERS_RETIRED": "offline"}


@dataclass(slots=True)
class Waits(Times):
    """Seconds from saying to finding; where that was given up, until then."""

    given_up: int = 0

    def told(self) -> dict[str, float | int]:
        return {**Times.told(self), "given_up": self.given_up}


class Talker:
    """Adds RATE messages a second until told to stop; a late answer does not hold back the next message."""

    def __init__(self, side: Running, person: str) -> None:
        self.side, self.person = side, person
        self.where, self.times, self.failed = side.client(person).conversation("c"), Times(), 0
        self.local = threading.local()

    def run(self, over: threading.Event) -> None:
        start, numbers = time.monotonic(), count()
        with ThreadPoolExecutor(AT_ONCE) as several:
            while not over.is_set():
                number = next(numbers)
                time.sleep(max(0.0, start + number / RATE - time.monotonic()))
                several.submit(self.add, f"And then, as number {number}, something else came to my mind.")
            several.shutdown(cancel_futures=True)

    def add(self, text: str) -> None:
        if not hasattr(self.local, "client"):
            self.local.client = self.side.client(self.person)
        start = time.perf_counter()
        try:
            self.local.client.add(self.where, text)
            self.times.seconds.append(time.perf_counter() - start)
        except (OSError, RuntimeError):
            self.failed += 1

    def told(self) -> dict[str, Any]:
        return {**self.times.told(), "failed": self.failed}


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something in a thread while the block lasts; it is to end when the event is set."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def look_at_lag(side: Running, seen: list[float], over: threading.Event) -> None:
    """Note once a second how many seconds the oldest unsealed row of the audit log is old."""
    while not over.wait(1):
        with suppress(OSError, ValueError):  # the server is too busy to tell
            seen.append(side.audit_lag())


def export(side: Running, person: str, waited: list[float], over: threading.Event) -> None:
    """Request an export, and note the seconds until it is no longer waiting."""
    client, start = side.client(person), time.monotonic()
    client.send("POST", "/api/v1/me/export")
    while client.send("GET", "/api/v1/me/export")["state"] == "waiting":
        if over.wait(0.2):
            return
    waited.append(time.monotonic() - start)


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    with running(cluster) as side:
        grow.warm(side, options)
        source, words = said(options.data), made_up_words()
        others = [f"other-{number}" for number in range(max(2, options.people - 2))]
        lines = conversation("talker", "c", list(islice(source, options.talker)))
        for person in others:
            lines += conversation(person, "c", list(islice(source, EACH)))
        side.bring(lines)
        side.settle()
        note("crowd, alone")
        alone = live(side, others, words, options)
        imported = [
            line for number in range(options.imported // SESSION)
            for line in conversation("importer", f"c{number}", list(islice(source, SESSION)))
        ]  # fmt: skip
        path = side.write(imported)
        talker, lags, waited = Talker(side, "talker"), list[float](), list[float]()
        with beside(partial(look_at_lag, side, lags)), beside(talker.run):
            importing = side.begin("import_conversations", str(path))
            with beside(partial(export, side, others[-1], waited)):
                note("crowd, beside others")
                busy = live(side, others[:-1], words, options)
            still = importing.poll() is None or side.jobs_left() > 0
        end(importing)
        result = {
            "alone": alone.told(),
            "beside": busy.told(),
            "beside_against_alone": {cut: busy.told()[cut] / alone.told()[cut] for cut in ("p50_ms", "p95_ms")},
            "import_still_worked_on_at_the_end": still,
            "talker": talker.told(),
            "unsealed_log_seconds_at_most": max(lags, default=None),
            "export_started_after_seconds": next(iter(waited), None),
        }  # fmt: skip
        side.server.execute(f"DELETE FROM procrastinate_jobs j WHERE status = 'todo' AND NOT {PERIODIC}")
    return {**result, "same_person": bulk_jobs(cluster, options)}


def live(side: Running, people: list[str], words: Iterator[Probe], options: Options) -> Waits:
    """People in turns say something and search until it is found."""
    places = cycle([(client := side.client(person), client.conversation("c")) for person in people])
    times, end_ = Waits(), time.monotonic() + options.crowd_seconds
    while time.monotonic() < end_:
        client, where = next(places)
        probe = next(words)
        start = time.perf_counter()
        memory = client.add(where, probe.statement)
        while memory not in client.search(probe.question, FIRST, memories=side.finds_memories):
            if time.perf_counter() - start > options.patience:
                times.given_up += 1
                break
            time.sleep(0.05)
        times.seconds.append(time.perf_counter() - start)
        time.sleep(PAUSE_SECONDS)
    return times


def bulk_jobs(cluster: Cluster, options: Options) -> dict[str, Any]:
    """Adding ten a second: alone, and while all of the same person's index is worked on."""
    with running(cluster, SEARCH_EXACT_UP_TO="1000000") as side:
        grow.warm(side, options)
        side.bring(conversation("talker", "c", list(islice(said(options.data), options.talker))))
        side.settle()
        result: dict[str, Any] = {}

        def note_while(what: str, work: Callable[[], str]) -> None:
            result[what] = while_(side, what, work)

        note_while("alone", lambda: wait(options.crowd_seconds / 4))
        side.restart(SEARCH_EXACT_UP_TO=str(options.talker // 2))
        note_while("moved_into_the_graph", lambda: moved(side, options))
        side.restart(**RENAMED)
        note_while("embedded_anew", lambda: command(side, options, "reembed_stories"))
        if side.has_command("reindex"):
            note_while("indexed_anew", lambda: command(side, options, "reindex"))
        for name in result.keys() - {"alone"}:
            result[name]["p99_against_alone"] = result[name]["p99_ms"] / result["alone"]["p99_ms"]
    return result


def while_(side: Running, what: str, work: Callable[[], str]) -> dict[str, Any]:
    """What adding takes while it lasts."""
    note(f"crowd, the same person, {what}")
    warm_again(side)
    talker = Talker(side, "talker")
    with beside(talker.run):
        start = time.monotonic()
        ended = work()
        lasted = time.monotonic() - start
    return {**talker.told(), "lasted_seconds": lasted, "ended": ended}


def warm_again(side: Running) -> None:
    """After a restart: every process has answered."""

    def ask(_: int) -> None:
        side.client("warm").search("Is it warm?", 1, memories=side.finds_memories)

    with ThreadPoolExecutor(AT_ONCE) as several:
        list(several.map(ask, range(32)))


def wait(seconds: float) -> str:
    time.sleep(seconds)
    return "in time"


def moved(side: Running, options: Options) -> str:
    """Wait until the set is in the graph, and for a moment longer."""
    deadline = time.monotonic() + LONGEST * options.crowd_seconds
    while not in_graph(side) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(min(options.crowd_seconds, 5))
    return "in time" if in_graph(side) else "given up"


def command(side: Running, options: Options, name: str) -> str:
    """Run it for the person; how it ended."""
    process = side.begin(name, "--user", "talker")
    try:
        code = process.wait(LONGEST * options.crowd_seconds)
    except subprocess.TimeoutExpired:
        end(process)
        return "given up"
    return f"with {code}" if code else "in time"


def in_graph(side: Running) -> bool:
    """Whether the largest set is."""
    row = side.server.execute("SELECT in_graph FROM search_sets ORDER BY passages DESC LIMIT 1").fetchone()
    return bool(row and row[0])


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(60)
