"""Attack: hundreds of connections, signed out, no proxy in front, that stop half-way. Everybody else is served.

The control is gunicorn's own worker, whose threads read from the socket: eight connections hold a process.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from accounts.authentication import local_tokens
from tests.attacks.corpus import tries
from tests.installation import Installation
from tests.servers import Server, serving
from tests.writers import Writer

CONNECTIONS = tries(100, 500)
HALVES: dict[str, bytes] = {
    "header": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Half:",
    "body": b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\nusername=",
    "answer": b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n",  # and it is not read
}


@contextmanager
def half_sent(port: int, half: bytes, count: int) -> Iterator[list[socket.socket]]:
    """So many connections with half of something, for the block."""
    with ExitStack() as held:
        made = []
        for _ in range(count):
            client = held.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(half)
            made.append(client)
        yield made


def seconds_of_a_probe(port: int, path: str, patience: float | None) -> float:
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
    return time.monotonic() - start


@pytest.mark.parametrize("half", HALVES)
def test_probes_and_writes_pass_by(installation: Installation, half: str, record_property: Any) -> None:
    port = installation.web.port
    with half_sent(port, HALVES[half], CONNECTIONS) as clients:
        slowest = max(seconds_of_a_probe(port, path, None) for path in ("/livez", "/readyz") * 5)
        writer = Writer(0, port, local_tokens.issue(uid=f"half-{half}"), threading.Event())
        writer.write(["Said meanwhile."])
        silent = len(clients) - len(select.select(clients, [], [], 0)[0])
        assert half == "answer" or silent, "they were all gone before anybody else asked"
        assert half != "answer" or clients[0].recv(12) == b"HTTP/1.1 200"
    record_property("figure", f"{CONNECTIONS} stopped in a {half}: slowest probe {slowest:.2f} s")


def test_control_threads_that_read_for_themselves_are_held(installation: Installation, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in installation.environment.items() if name != "DATABASE_URL"},
        "DJANGO_SETTINGS_MODULE": "tests.attacks.unprotected",
        "WITHOUT": "buffers",
    }
    with serving(installation.environment["DATABASE_URL"], tmp_path / "log", **environment) as server:
        server.wait_ready()
        held_by_halves(server)


def held_by_halves(server: Server) -> None:
    with half_sent(server.port, HALVES["header"], 8):
        time.sleep(1)
        with pytest.raises(TimeoutError):
            seconds_of_a_probe(server.port, "/livez", 3)
