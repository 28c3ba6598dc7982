"""`serve` under more clients than it has threads: are probes answered, writes kept, and is it well again afterwards?

    python -m benchmarks.overload [--clients 1,2,200] [--seconds 60] [--processes 2] [--folder /dev/shm]

Each client is a person of their own who adds memories and now and then searches, without a pause, each request on a
connection of its own; a write that fails is sent again with its Idempotency-Key until it is acknowledged. Meanwhile
both probes are asked five times a second, and once a second the memory of all processes of the web server and of
PostgreSQL is added up (Pss, proc_pid_smaps(5)). `idle_mb` is their memory before, when every thread has worked. It is
well again when a request takes at most twice what the median took before, three times in a row. Exit code 1 where a
figure is worse than LIMITS or a write is lost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.harness import show

LIMITS = {"lost": 0, "doubled": 0, "slowest_probe_s": 1.0, "memory_times_idle": 1.5, "well_again_s": 10.0}
THREADS = 8  # of each process, as it comes
PROBE_EVERY_SECONDS, MEMORY_EVERY_SECONDS = 0.2, 1.0
SEARCH_EVERY = 5  # writes
GIVEN_UP_SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", default="1,2,200", help="how many at once, one measurement each")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", help="where to work")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vibe-overload-", dir=options.folder))
    os.environ.pop("DATABASE_URL", None)
    os.environ.update(
        VIBE_STATE_DIR=str(folder / "state"), DJANGO_SETTINGS_MODULE="vibe.settings", DEBUG="on", LOG_LEVEL="WARNING"
    )
    try:
        import django

        django.setup()
        result = measure(folder, [int(each) for each in options.clients.split(",")], options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(result)
    sys.exit(any(each[name] > most for each in result["clients"].values() for name, most in LIMITS.items()))


def measure(folder: Path, counts: list[int], options: argparse.Namespace) -> dict[str, Any]:
    """Each number of clients, one after the other, on one installation."""
    from tests.installation import installed

    with installed(folder / "installation", processes=options.processes) as installation:
        return {
            "load_of_the_machine_before": os.getloadavg()[0],
            "clients": {str(count): overload(installation, count, options) for count in counts},
        }


def overload(installation: Any, count: int, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of so many clients."""
    from tests.writers import compare

    warm_up = clients(installation, f"warm-{count}", 2 * THREADS * options.processes)
    run(warm_up, 3)
    guest = clients(installation, f"guest-{count}", 1)[0]
    guest.write(["Before."])
    usual = statistics.median(seconds(lambda: guest.write(["Before."])) for _ in range(9))
    idle = memory(installation)
    flood = clients(installation, f"flood-{count}", count)
    with repeated(PROBE_EVERY_SECONDS, lambda: slower_probe(installation.web.port)) as probes:
        with repeated(MEMORY_EVERY_SECONDS, lambda: memory(installation)) as used:
            run(flood, options.seconds)
        again = well_again(guest, usual)
    kept = compare(flood)
    return {
        "acknowledged": kept.acknowledged,
        "lost": kept.lost,
        "doubled": kept.doubled,
        "acknowledged_a_second": kept.acknowledged / options.seconds,
        "slowest_write_s": kept.slowest,
        "failed_at_first": dict(kept.failed),
        "refused_searches": dict(sum((each.refused for each in flood), Counter())),
        "probes": len(probes),
        "median_probe_s": statistics.median(probes),
        "slowest_probe_s": max(probes),
        "idle_mb": idle,
        "most_mb": max(used),
        "memory_times_idle": max(used) / idle,
        "well_again_s": again,
    }


def clients(installation: Any, name: str, count: int) -> list[Any]:
    """So many people who do not pause."""
    from accounts.authentication import local_tokens
    from tests.writers import Refusal, Writer

    class Client(Writer):
        """Adds memories and searches without a pause."""

        refused: Counter[str]

        def run(self) -> None:
            self.refused = Counter()
            for number in range(sys.maxsize):
                self.write([f"{self.about} {number} of {self.number}."])
                if number % SEARCH_EVERY == 0:
                    self.search()
                if self.over.is_set():
                    return

        def search(self) -> None:
            try:
                self.send("POST", "/api/v1/stories/search", {"question": "What did I say?"})
            except (Refusal, OSError) as problem:
                self.refused[str(problem) if isinstance(problem, Refusal) else type(problem).__name__] += 1

    tokens = [local_tokens.issue(uid=f"{name}-{number}", email=None, seconds=86_000) for number in range(count)]
    over = threading.Event()
    return [Client(number, installation.web.port, token, over) for number, token in enumerate(tokens)]


def run(people: list[Any], seconds: float) -> None:
    """Let them work for so long, and each finish what it has begun."""
    for each in people:
        each.start()
    time.sleep(seconds)
    people[0].over.set()  # they share it
    for each in people:
        each.join()


@contextmanager
def repeated(every: float, figure: Callable[[], float]) -> Iterator[list[float]]:
    """A list that gets a figure again and again during the block, at least one."""
    over, found = threading.Event(), [figure()]

    def go_on() -> None:
        while not over.wait(every):
            found.append(figure())

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def slower_probe(port: int) -> float:
    """Seconds of the slower of the two; GIVEN_UP_SECONDS where one is not answered."""
    from tests.attacks.test_half_sent import seconds_of_a_probe

    try:
        return max(seconds_of_a_probe(port, path, GIVEN_UP_SECONDS) for path in ("/livez", "/readyz"))
    except (OSError, AssertionError):
        return GIVEN_UP_SECONDS


def memory(installation: Any) -> float:
    """MB of the web server's processes and of PostgreSQL's, each page once however many processes share it."""
    from tests.servers import started_by

    roots = (installation.web.process.pid, installation.postmaster())
    processes = [each for root in roots for each in (root, *started_by(root))]
    return sum(map(pss, processes)) / 1000


def pss(process: int) -> int:
    """Proportional set size in kB; 0 once the process has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def well_again(guest: Any, usual: float) -> float:
    """Seconds until three writes in a row take at most twice as long as usual, or GIVEN_UP_SECONDS."""
    begun, quick = time.monotonic(), 0
    while quick < 3 and time.monotonic() - begun < GIVEN_UP_SECONDS:
        quick = quick + 1 if seconds(lambda: guest.write(["Afterwards."])) <= 2 * usual else 0
    return time.monotonic() - begun if quick == 3 else GIVEN_UP_SECONDS


def seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


if __name__ == "__main__":
    main()
