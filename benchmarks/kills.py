"""Web workers, job workers, database backends and the postmaster killed by SIGKILL at random over acknowledged writes.

    python -m benchmarks.kills [--kills 1000] [--writes 500000] [--minutes 0] [--folder /dev/shm]

Four people add memories through the API, by one and in batches, each request with an Idempotency-Key and sent again
until it is acknowledged. At the end every memory that was acknowledged must be there once and open, the trail must
prove, and every conversation's story must come to be. Ends when both numbers are reached, or after `--minutes`. Exit
code 1 where anything is lost, there twice, does not open, or was answered as a failure of ours (500).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.harness import show

CLIENTS, SIZES = 4, (1, 10, 100, 500, 1000)
MUST_BE_EMPTY = ("lost", "doubled", "counted_wrong", "untyped_answers", "answers_of_500", "trail", "lineage")
STORIES_SECONDS = 3600
PAUSE_SECONDS = 0.5  # between strikes, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--writes", type=int, default=500_000)
    parser.add_argument("--minutes", type=float, default=0, help="end then, whatever was reached (0: no)")
    parser.add_argument("--stories", type=float, default=STORIES_SECONDS, help="seconds to wait for the stories")
    parser.add_argument("--folder", help="where to work; a killed process loses nothing that is in memory there")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vibe-kills-", dir=options.folder))
    os.environ.pop("DATABASE_URL", None)
    os.environ.update(
        VIBE_STATE_DIR=str(folder / "state"), DJANGO_SETTINGS_MODULE="vibe.settings", DEBUG="on", LOG_LEVEL="WARNING"
    )
    try:
        import django

        django.setup()
        result = measure(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(result)
    sys.exit(any(result[each] for each in MUST_BE_EMPTY))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Strike until there is enough, then read everything back."""
    from accounts.authentication import local_tokens
    from tests.installation import Killer, installed
    from tests.writers import Writer, compare

    over, chance, struck = threading.Event(), Random(options.seed), Counter[str]()
    begun = time.monotonic()
    with installed(folder / "installation") as installation:
        installation.start_worker()
        tokens = [local_tokens.issue(uid=f"killed-{number}", email=None, seconds=86_000) for number in range(CLIENTS)]
        writers = [
            Writer(number, installation.web.port, token, over, sizes=SIZES) for number, token in enumerate(tokens)
        ]
        for writer in writers:
            writer.start()
        killer = Killer(installation, chance)

        def written() -> int:
            return sum(len(writer.written.acknowledged) for writer in writers)

        while (struck.total() < options.kills or written() < options.writes) and (
            not options.minutes or time.monotonic() - begun < 60 * options.minutes
        ):
            before = written()
            if struck.total() < options.kills and (kind := killer.strike()):
                struck[kind] += 1
                if struck.total() % 20 == 0:
                    print(
                        f"{time.monotonic() - begun:.0f} s: {struck.total()} kills, {written()} writes", file=sys.stderr
                    )
            wait_for(lambda before=before: written() > before)
            time.sleep(chance.random() * PAUSE_SECONDS)
        over.set()
        for writer in writers:
            writer.join()
        took = time.monotonic() - begun
        return {
            "kills": dict(struck),
            "seed": options.seed,
            "minutes": took / 60,
            **read_back(compare(writers)),
            **checked(installation, options.stories),
        }


def wait_for(holds: Any, seconds: float = 600) -> None:
    """A strike is worth something only where work is done in between."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing was acknowledged for {seconds:g} s.")
        time.sleep(0.02)


def read_back(kept: Any) -> dict[str, Any]:
    """What became of what was acknowledged."""
    return {
        "acknowledged": kept.acknowledged,
        "lost": kept.lost,
        "doubled": kept.doubled,
        "requests_that_failed_at_first": dict(kept.failed),
        "untyped_answers": sorted(kept.untyped),
        "answers_of_500": kept.failed["answered 500"],
        "slowest_request_s": kept.slowest,
    }


def checked(installation: Any, seconds: float) -> dict[str, Any]:
    """Counts, trail, stories and jobs. Empty is good."""
    counted = installation.ask(
        "SELECT count(*) FROM conversations c WHERE memory_count <> "
        "(SELECT count(*) FROM encrypted_memories m WHERE m.user_id = c.user_id AND m.conversation_id = c.id)"
    )
    start = time.monotonic()
    left = (
        "SELECT count(*) FROM (SELECT FROM pending_memories UNION ALL "
        "SELECT FROM stories WHERE built_at IS NULL AND due_at <= now() + interval '2 minutes') AS left_over"
    )
    while installation.ask(left)[0][0] and time.monotonic() - start < seconds:
        if not installation.worker_runs():
            installation.start_worker()
        time.sleep(5)
    trail = installation.manage("verify_audit")
    lineage = installation.manage("check_lineage")
    return {
        "counted_wrong": counted[0][0],
        "trail": "" if trail.returncode == 0 else trail.stdout + trail.stderr,
        "lineage": "" if lineage.returncode == 0 else lineage.stdout + lineage.stderr,
        "stories_told_in_s": time.monotonic() - start,
        "jobs_left": dict(
            installation.ask(
                "SELECT task_name || ' ' || status, count(*) FROM procrastinate_jobs "
                "WHERE starts_with(task_name, 'stories.') GROUP BY 1"
            )
        ),
        "said": {"trail": trail.stdout[-300:], "lineage": lineage.stdout[-300:]},
    }


if __name__ == "__main__":
    main()
