"""How soon an export starts and the audit log is sealed while one person's bulk work runs, with classes and without.

    python -m benchmarks.classes [--messages N] [--builds N] [--exports N]

One person has stories waiting of `builds` conversations, each of 100 messages, and imports `messages` more, in
conversations of 2,000, by `import_conversations` in a process of its own. Meanwhile other people ask for an export, one
every five seconds.
Measured are the seconds until each export starts and until it is ready, and the greatest age of an unsealed row of the
audit log, read every quarter of a second. It begins when the worker holds its first story.

`classes` is `manage.py worker` as it comes. `shared` is the control: procrastinate's own worker with as many slots in
all, which every class shares.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness import show, throw_away_database
from benchmarks.telling import ROOT, START, fill, sample_texts

BUILD_MESSAGES, LONG = 100, 2_000
EVERY_SECONDS, GIVEN_UP_SECONDS = 5.0, 120.0
SHARED = """
import django
django.setup()
from procrastinate.contrib.django import app
from procrastinate.manager import JobManager
from vibe.core.db.job_classes.classes import slots
with app.replace_connector(app.connector.get_worker_connector()) as worker:
    worker.job_manager = JobManager(worker.connector)
    worker.run_worker(concurrency=sum(slots().values()))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--builds", type=int, default=100)
    parser.add_argument("--exports", type=int, default=12)
    options = parser.parse_args()
    os.environ["STORY_QUIET_SECONDS"] = "0"
    result: dict[str, Any] = {**vars(options), "load_before": os.getloadavg()[0]}
    ways = {"classes": [str(ROOT / "manage.py"), "worker"], "shared": ["-c", SHARED]}
    with throw_away_database() as folder:
        for number, (way, command) in enumerate(ways.items()):
            result[way] = measure(f"{way}-{number}", [sys.executable, *command], options, folder)
    show(result)


def measure(name: str, command: list[str], options: Any, folder: Path) -> dict[str, Any]:
    """The figures of one way to work."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from audit.sealing.services import seal
    from stories.index.services import index_pending

    forget_jobs()
    texts = sample_texts()
    bulk = f"bulk-{name}"
    builds = write(folder / "builds.jsonl", bulk, "small", options.builds, BUILD_MESSAGES)
    long = write(folder / "import.jsonl", bulk, "long", -(-options.messages // LONG), LONG)
    people = [fill(f"{name}-{each}", 2, texts) for each in range(options.exports)]
    run_import(builds).wait()
    index_pending(user_id=find_person(bulk), bulk_ones=True, actor=Actor.system("benchmark"))
    forget_jobs()
    seal()
    with (folder / f"{name}.log").open("w") as log:
        worker = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for(lambda: count_jobs("status = 'doing' AND task_name = 'stories.build'"))
        importing = run_import(long)
        watcher = Watcher()
        begun = time.monotonic()
        exports = [export(person) for person in paced(people)]
        seconds = time.monotonic() - begun
        unsealed = watcher.stop()
        waiting, still = count_due(), importing.poll() is None
        importing.kill()
    finally:
        worker.kill()
        worker.wait()
    started, ready = zip(*exports, strict=True)
    return {
        "seconds": seconds,
        "export_starts_after": {"median": median(started), "most": max(started)},
        "export_ready_after": {"median": median(ready), "most": max(ready)},
        "unsealed_at_most": unsealed,
        "builds_waiting_at_the_end": waiting,
        "import_still_ran_at_the_end": still,
    }


def paced(people: list[Any]) -> Iterator[Any]:
    """Each of them, with a pause before."""
    for each in people:
        time.sleep(EVERY_SECONDS)
        yield each


class Watcher:
    """Reads the age of the oldest unsealed row, in a thread, while every quarter of a second one more is written."""

    def __init__(self) -> None:
        self.most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        from django.db import connection

        from audit.actors import Actor
        from audit.services import record
        from vibe.core.db.scopes import as_system
        from vibe.metrics.figures import unsealed

        while not self._over.wait(0.25):
            with as_system():
                record(actor=Actor.system("benchmark"), action="benchmark")
            self.most = max(self.most, unsealed()[0])
        connection.close()

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self.most


def export(person: Any) -> tuple[float, float]:
    """The seconds until an export starts, and until it is ready."""
    from accounts.export.services import export_status, request_export
    from audit.actors import Actor

    asked = time.monotonic()
    request_export(user_id=person, actor=Actor.system("benchmark"))

    def until(*states: str) -> float:
        while export_status(user_id=person).state not in states and time.monotonic() - asked < GIVEN_UP_SECONDS:
            time.sleep(0.05)
        return time.monotonic() - asked

    return until("running", "ready"), until("ready")


def write(path: Path, uid: str, kind: str, conversations: int, messages: int) -> Path:
    """A file to import."""
    texts = sample_texts()
    with path.open("w", encoding="utf-8") as sink:
        for number in range(conversations):
            at = START + timedelta(days=30 * number)
            said = [(turn, *texts[(number * messages + turn) % len(texts)]) for turn in range(messages)]
            line = {
                "user": {"firebase_uid": uid, "email": f"{uid}@example.com", "name": "Ada Tavares"},
                "conversation": {"id": f"{kind}{number}", "title": f"{kind} {number}"},
                "messages": [
                    {
                        "id": f"m{turn}",
                        "author": author,
                        "text": f"{text} (number {number} of {kind})",
                        "sent_at": (at + timedelta(minutes=turn)).isoformat(),
                    }
                    for turn, author, text in said
                ],
            }
            sink.write(json.dumps(line) + "\n")
    return path


def run_import(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "manage.py"), "import_conversations", str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def forget_jobs(which: str = "true") -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM procrastinate_jobs WHERE {which}")


def count_jobs(which: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM procrastinate_jobs WHERE {which}")
        return int(cursor.fetchone()[0])


def count_due() -> int:
    """Stories that are to be built now."""
    from django.db.models.functions import Now

    from stories.models import Story
    from vibe.core.db.scopes import as_support

    with as_support():
        return int(Story.objects.filter(due_at__lte=Now()).count())


def wait_for(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + GIVEN_UP_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("The worker did not begin.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
