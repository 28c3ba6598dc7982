"""Attack: the worst bodies that each operation allows, sent to a server: what does one cost it in memory?

Memory is the most that the process had resident (`VmHWM` of /proc), less what it had before with every thread at rest:
what the allocator and the database's driver keep counts too.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from accounts.authentication import local_tokens
from tests.api.bodies import WITH_BODY, Operation, largest
from tests.attacks.corpus import FULL
from tests.attacks.test_bodies import SHAPES, limit_of_operation
from tests.installation import Installation
from tests.servers import Server, serving, started_by
from tests.writers import Writer

MOST = 40_000  # kB
LEFT = 2_000  # kB: if the bodies before left more, a body is measured over what there is with all threads at rest
SOME = ("open lists", "a long name")
ASTRAL = "\U0001f600"


class Attacked:
    """A server of one process, every thread of which has worked, and one person's token and conversation."""

    def __init__(self, server: Server) -> None:
        self.server = server
        [self.process] = started_by(server.process.pid)
        writer = Writer(0, server.port, local_tokens.issue(uid="bodies"), threading.Event())
        writer.write(["Something short."])
        self.headers = {"Authorization": f"Bearer {writer.token}"}
        self.memories = writer.paths[-1]
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(self.work, range(24)))
        self.idle = self.began = self.memory("VmRSS")

    def work(self, _: int) -> None:
        batch = {"memories": [{"author": "Ada", "text": "x"}] * 300}
        self.search(0)
        assert self.server.post(f"{self.memories}/batch", json.dumps(batch).encode(), **self.headers)[0] < 300

    def search(self, _: int) -> None:
        assert self.server.post("/api/v1/stories/search", b'{"question": "Where?"}', **self.headers)[0] < 300

    def at_rest(self) -> int:
        """Return kB resident once every thread has answered something small: until then it holds much of what was."""
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(self.search, range(24)))
        return self.memory("VmRSS")

    def memory(self, what: str) -> int:
        """Return kB, of `VmRSS` or `VmHWM`."""
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        [line] = [each for each in lines if each.startswith(what)]
        return int(line.split()[1])

    def taken(self, operation: Operation, body: bytes) -> int:
        """Send a body, and return how many kB over idle the process had at most meanwhile."""
        path = f"/api/v1{operation.path}"
        if operation.path.startswith("/conversations/") and "/memories" in operation.path:
            path = f"{self.memories}{operation.path.partition('/memories')[2]}"
        if self.memory("VmRSS") - self.idle > LEFT:
            self.idle = self.at_rest()
        Path(f"/proc/{self.process}/clear_refs").write_text("5")
        self.server.send(operation.method, path, body, **{"Content-Type": "application/json"}, **self.headers)
        return self.memory("VmHWM") - self.idle


def attacked(installation: Installation, log: Path, **more: str) -> Iterator[Attacked]:
    environment = {name: value for name, value in installation.environment.items() if name != "DATABASE_URL"}
    with serving(installation.environment["DATABASE_URL"], log, **environment, **more) as server:
        server.wait_ready()
        yield Attacked(server)


@pytest.fixture
def target(installation: Installation, tmp_path: Path) -> Iterator[Attacked]:
    yield from attacked(installation, tmp_path / "log")


@pytest.fixture
def unbounded(installation: Installation, tmp_path: Path) -> Iterator[Attacked]:
    yield from attacked(installation, tmp_path / "log", API_BODY_LIMIT=str(64 * 1024 * 1024))


def batch(text: str) -> bytes:
    one = f'{{"author": "Ada", "text": "{text}", "occurred_at": "2026-05-12T09:30:00Z"}}'
    return f'{{"memories": [{", ".join([one] * 1000)}]}}'.encode()


def bodies(operation: Operation) -> Iterator[tuple[str, bytes]]:
    """The largest that are taken, with every character an escape or four bytes, and the largest that are refused."""
    limit = limit_of_operation(operation.name)
    if operation.name == "add_memories_at_once":
        yield "full", batch("\\u732b" * 640)
        yield "full, in UTF-8", batch(ASTRAL * 960)
    elif operation.name == "change_preferences":
        yield "full", b'{"a":[' + b",".join([b"{}"] * 16_000) + b"]}"
    else:
        body = largest(operation.schema or {})
        yield "full", body
        yield "full, in UTF-8", json.dumps(json.loads(body), ensure_ascii=False).replace("\u732b", ASTRAL).encode()
    for name in SHAPES if FULL else SOME:
        yield name, SHAPES[name](limit.size)


def test_no_body_takes_more_than_it_may(target: Attacked, record_property: Any) -> None:
    taken = {
        (operation.name, name): target.taken(operation, body)
        for operation in WITH_BODY
        if not operation.path.startswith("/users")  # a body of 8 kB, which only a server's key may send
        for name, body in bodies(operation)
    }
    (worst, how), most = max(taken.items(), key=lambda each: each[1])
    record_property("figure", f"{len(taken)} bodies, at most {most / 1000:.0f} MB over idle ({worst}, {how})")
    assert most < MOST, (worst, how)
    assert target.at_rest() - target.began < MOST  # what all of them leave


def test_control_a_batch_without_its_limit_does(unbounded: Attacked) -> None:
    [operation] = [each for each in WITH_BODY if each.name == "add_memories_at_once"]
    assert unbounded.taken(operation, batch(ASTRAL * 9_600)) > MOST
