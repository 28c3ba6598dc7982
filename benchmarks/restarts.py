"""`serve` restarted under load by SIGTERM and by SIGKILL: what becomes of acknowledged writes?

Four people add memories through the API without pause, each request on a connection of its own with an
Idempotency-Key; one that fails is sent again with the same key. The socket is kept open across restarts, as systemd
keeps it, so a request may wait but is not refused. At the end every text must be there once. Across SIGTERM no
request may fail even the first time.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database
from benchmarks.replicas import url
from tests.installation import FREE
from tests.servers import Server, serving
from tests.writers import Writer, compare

TERMS, KILLS, CLIENTS = 200, 50, 4
BETWEEN_SECONDS = 0.4


def main() -> None:
    terms, kills = (int(each) for each in (sys.argv[1:3] if len(sys.argv) > 2 else (TERMS, KILLS)))
    with throw_away_database() as folder:
        for how, times in {"SIGTERM": terms, "SIGKILL": kills}.items():
            show({how: under_load(times, folder, how)})


def under_load(times: int, folder: Path, how: str) -> dict[str, Any]:
    """Restart so many times while they write."""
    from accounts.authentication import local_tokens

    over, back, ended = threading.Event(), [], []
    with (
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        serving(url("vibe"), folder / "log", listeners=[listener], **FREE) as server,
    ):
        server.wait_ready()
        tokens = [local_tokens.issue(uid=f"{how}-{number}", email=None, seconds=86_000) for number in range(CLIENTS)]
        people = [Writer(number, server.port, token, over) for number, token in enumerate(tokens)]
        for person in people:
            person.start()
        for _ in range(times):
            time.sleep(BETWEEN_SECONDS)
            start = time.monotonic()
            end(server, how)
            ended.append(time.monotonic() - start)
            server.start()
            server.wait_ready()
            back.append(time.monotonic() - start)
        over.set()
        for person in people:
            person.join(180)
        kept = compare(people)
    return {
        "restarts": times,
        "acknowledged_writes": kept.acknowledged,
        "acknowledged_and_lost": kept.lost,
        "written_twice": kept.doubled,
        "requests_that_failed_at_first": dict(kept.failed),
        "slowest_request_s": kept.slowest,
        "ended_in_s_median": sorted(ended)[len(ended) // 2],
        "back_in_s_median": sorted(back)[len(back) // 2],
        "back_in_s_slowest": max(back),
    }


def end(server: Server, how: str) -> None:
    """By SIGTERM, waited for; or by SIGKILL, everything at once."""
    if how == "SIGTERM":
        assert server.stop() == 0, server.said()
    else:
        server.kill()


if __name__ == "__main__":
    main()
