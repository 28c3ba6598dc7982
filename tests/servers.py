"""`manage.py serve` in processes of their own, on a database of their own, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.processes import PATIENCE, PROJECT

# As systemd does it: the sockets are numbered from 3, and the environment names the process they are for.
HAND_OVER = """
import fcntl, os, sys
handed = [fcntl.fcntl(int(each), fcntl.F_DUPFD_CLOEXEC, 10) for each in sys.argv[1].split(",")]
for number, each in enumerate(handed, 3):
    os.dup2(each, number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(handed)))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Server:
    """One `serve`, on a port of its own or on sockets that are handed to it, as systemd does."""

    def __init__(
        self, database: str, log: Path, *options: str, listeners: Sequence[socket.socket] = (), **environment: str
    ) -> None:
        self.port = listeners[0].getsockname()[1] if listeners else free_port()
        self.log = log
        self.command = [sys.executable, "manage.py", "serve", "--bind", f"127.0.0.1:{self.port}", *options]
        self.handed = tuple(each.fileno() for each in listeners)
        if listeners:
            self.command = [sys.executable, "-c", HAND_OVER, ",".join(map(str, self.handed)), *self.command]
        changed = {**os.environ, "DEBUG": "on", "LOG_LEVEL": "WARNING", "DATABASE_URL": database, **environment}
        self.environment = {name: value for name, value in changed.items() if value}
        self.start()

    def start(self) -> None:
        """Start it, at first or again."""
        with self.log.open("a") as sink:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=PROJECT,
                start_new_session=True,
                pass_fds=self.handed,
            )
        self.started = time.monotonic()

    def ask(self, path: str, **headers: str) -> tuple[int, bytes]:
        """A GET on a connection of its own."""
        return self.send("GET", path, None, **headers)

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        """A POST of JSON."""
        return self.send("POST", path, body, **{"Content-Type": "application/json", **headers})

    def send(self, method: str, path: str, body: bytes | None, **headers: str) -> tuple[int, bytes]:
        """A request on a connection of its own: status and body."""
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            asked.request(method, path, body, headers={"Connection": "close", **headers})
            answer = asked.getresponse()
            return answer.status, answer.read()
        finally:
            asked.close()

    def wait_ready(self, status: int = 200, *, patience: float = PATIENCE) -> float:
        """Seconds from its start until /readyz answers so."""
        while time.monotonic() - self.started < patience:
            try:
                if self.ask("/readyz")[0] == status:
                    return time.monotonic() - self.started
            except OSError:
                assert self.process.poll() is None, self.said()
            time.sleep(0.02)
        raise AssertionError(f"Not ready in {patience:g} s: {self.said()}")

    def checks(self) -> dict[str, Any]:
        """What /readyz tells."""
        return json.loads(self.ask("/readyz")[1])["checks"]

    def said(self) -> str:
        return self.log.read_text()

    def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to it and everything it started, as the service manager does it."""
        for process in (self.process.pid, *started_by(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(database: str, log: Path, *options: str, **more: Any) -> Iterator[Server]:
    """A server that is there for the block."""
    server = Server(database, log, *options, **more)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                server.kill()
                raise


def started_by(process: int) -> list[int]:
    """The processes below one, as Linux tells."""
    found = []
    for path in Path("/proc", str(process), "task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *started_by(child)]
    return found


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
