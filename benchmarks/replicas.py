"""Eight replicas of `serve` start at once on an empty database, again and again: is each migration applied once?

And how long one takes from its start to ready when there is nothing to migrate.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database
from tests.servers import Server, serving
from vibe.core.db.configured import embedded_server

ROUNDS, REPLICAS, STARTS = 50, 8, 10


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with throw_away_database() as folder:
        from vibe.serving.preparing import known

        results = [one_round(number, folder, set(known())) for number in range(rounds)]
        show(
            {
                "rounds": rounds,
                "replicas": REPLICAS,
                "rounds_with_a_migration_missing_or_twice": sum(each["wrong"] for each in results),
                "replicas_that_migrated": sorted({each["migrated"] for each in results}),
                "errors": sum(each["errors"] for each in results),
                "slowest_replica_ready_s": max(each["ready"] for each in results),
                "start_to_ready_with_nothing_to_migrate_s": starts(folder),
            }
        )


def one_round(number: int, folder: Path, expected: set[tuple[str, str]]) -> dict[str, Any]:
    """Start them all, wait for all, count, end all."""
    name = f"replicas_{number}"

    with embedded_server().connect("postgres") as postgres:
        postgres.execute(f"CREATE DATABASE {name} OWNER vibe")
    replicas = [Server(url(name), folder / f"log-{number}-{each}") for each in range(REPLICAS)]
    try:
        ready = [replica.wait_ready() for replica in replicas]
        with embedded_server().connect(name) as postgres:
            applied = postgres.execute("SELECT app, name FROM django_migrations").fetchall()
        said = [replica.said() for replica in replicas]
    finally:
        codes = [replica.stop() for replica in replicas]
    with embedded_server().connect("postgres") as postgres:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return {
        "wrong": sorted(applied) != sorted(expected),
        "migrated": sum("Applied: " in each for each in said),
        "errors": sum("Error" in each or "Traceback" in each for each in said) + sum(map(bool, codes)),
        "ready": max(ready),
    }


def starts(folder: Path) -> dict[str, float]:
    """Alone, with the worker too."""
    found = {}
    for kind, options in {"web": (), "web_and_worker": ("--worker",)}.items():
        taken = []
        for _ in range(STARTS):
            with serving(url("vibe"), folder / "log-start", *options) as server:
                taken.append(server.wait_ready())
        found |= {f"{kind}_median": statistics.median(taken), f"{kind}_slowest": max(taken)}
    return found


def url(database: str) -> str:
    """DATABASE_URL on the embedded server."""
    from urllib.parse import quote

    return f"postgres://vibe@/{database}?host={quote(str(embedded_server().sockets), safe='')}"


if __name__ == "__main__":
    main()
