"""`serve` restarted under load by SIGTERM and by SIGKILL: what becomes of acknowledged writes?

Four people add memories through the API without pause, each request on a connection of its own with an
Idempotency-Key; one that fails is sent again with the same key. The socket is kept open across restarts, as systemd
keeps it, so a request may wait but is not refused. At the end every text must be there once. Across SIGTERM no
request may fail even the first time.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database
from benchmarks.replicas import url
from tests.servers import Server, serving

TERMS, KILLS, CLIENTS = 200, 50, 4
BETWEEN_SECONDS, PAUSE_SECONDS = 0.4, 0.1
FREE = {"API_LIMIT_PERSON": "off", "API_LIMIT_STRANGER": "off"}


@dataclass
class Written:
    """What one person's client saw."""

    acknowledged: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


class Person(threading.Thread):
    """Adds memories to a conversation until told to stop."""

    def __init__(self, number: int, port: int, token: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.token, self.over = number, port, token, over
        self.written = Written()
        self.path = "/api/v1/conversations"
        self.path = f"{self.path}/{self.send('POST', {'title': 'Measured'})['id']}/memories"

    def run(self) -> None:
        for count in itertools.count():
            if self.over.is_set():
                return
            self.write(f"Memory {count} of {self.number}.", f"{self.path}-{count}")
            time.sleep(PAUSE_SECONDS)

    def write(self, text: str, key: str) -> None:
        """Until it is acknowledged."""
        while text not in self.written.acknowledged[-1:]:
            start = time.monotonic()
            try:
                self.send("POST", {"author": "Ada", "text": text}, key)
                self.written.acknowledged.append(text)
            except (OSError, http.client.HTTPException, RuntimeError) as problem:
                self.written.failed[str(problem) if isinstance(problem, RuntimeError) else type(problem).__name__] += 1
                time.sleep(PAUSE_SECONDS)
            self.written.slowest = max(self.written.slowest, time.monotonic() - start)

    def texts(self) -> Counter[str]:
        """What is there, through the API."""
        found: Counter[str] = Counter()
        cursor = ""
        while cursor is not None:
            page = self.send("GET", path=f"{self.path}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            found.update(each["text"] for each in page["items"])
            cursor = page["next"]
        return found

    def send(self, method: str, body: Any = None, key: str = "", path: str = "") -> Any:
        """One request on a connection of its own. Raises RuntimeError for an answer that is a refusal."""
        headers = {"Authorization": f"Bearer {self.token}", "Connection": "close", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            asked.request(method, path or self.path, body=body and json.dumps(body), headers=headers)
            answer = asked.getresponse()
            told = answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"answered {answer.status}")
            return json.loads(told)
        finally:
            asked.close()


def main() -> None:
    terms, kills = (int(each) for each in (sys.argv[1:3] if len(sys.argv) > 2 else (TERMS, KILLS)))
    with throw_away_database() as folder:
        for how, times in {"SIGTERM": terms, "SIGKILL": kills}.items():
            show({how: under_load(times, folder, how)})


def under_load(times: int, folder: Path, how: str) -> dict[str, Any]:
    """Restart so many times while they write."""
    from accounts.authentication import local

    over, back, ended = threading.Event(), [], []
    with (
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        serving(url("vibe"), folder / "log", listener=listener, **FREE) as server,
    ):
        server.wait_ready()
        tokens = [local.issue(uid=f"{how}-{number}", email=None, seconds=86_000) for number in range(CLIENTS)]
        people = [Person(number, server.port, token, over) for number, token in enumerate(tokens)]
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
        found = [person.texts() for person in people]
    written = [person.written for person in people]
    return {
        "restarts": times,
        "acknowledged_writes": sum(len(each.acknowledged) for each in written),
        "acknowledged_and_lost": sum(
            text not in there for each, there in zip(written, found, strict=True) for text in each.acknowledged
        ),
        "written_twice": sum(count > 1 for there in found for count in there.values()),
        "requests_that_failed_at_first": dict(sum((each.failed for each in written), Counter())),
        "slowest_request_s": max(each.slowest for each in written),
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
