"""The worker of the web server: what it reads, how it answers, whom it drops. Each test has a server of its own."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from tests.buffered import THREADS
from tests.processes import PROJECT, until
from tests.servers import free_port

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s"
PATIENCE = 60


@contextmanager
def served(**options: Any) -> Iterator[Small]:
    server = Small(**options)
    try:
        yield server
    finally:
        server.end()


class Small:
    """The server of tests.buffered, with constants and, in capitals, environment of its own."""

    def __init__(self, bind: str = "", environment: dict[str, str] | None = None, **constants: int) -> None:
        self.address = ("127.0.0.1", free_port())
        bind = bind or f"127.0.0.1:{self.address[1]}"
        given = [f"{name}={value}" for name, value in constants.items()]
        self.log = log = TemporaryFile()  # noqa: SIM115  open until the end
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.buffered", bind, *given],
            cwd=PROJECT, env={**os.environ, **(environment or {})}, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.bind = bind
        until(self.answers)

    def connect(self, receive: int = 0) -> socket.socket:
        """A connection, with a receive buffer of so many bytes."""
        family = socket.AF_UNIX if self.bind.startswith("unix:") else socket.AF_INET
        made = socket.socket(family)
        if receive:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        made.settimeout(PATIENCE)
        try:
            made.connect(self.bind.removeprefix("unix:") if family == socket.AF_UNIX else self.address)
        except OSError:
            made.close()
            raise
        return made

    def answers(self) -> bool:
        try:
            with self.connect() as client:
                client.sendall(GET % b"/1")
                return client.recv(12) == b"HTTP/1.1 200"
        except OSError:
            assert self.process.poll() is None
            return False

    def stop(self) -> tuple[int, str]:
        """SIGTERM: the exit code, and what was logged."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.log.seek(0)
        return code, self.log.read().decode()

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self.log.close()


def read_answer(client: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer with a length; (0, b"") where the server has closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := client.recv(1)):
            return 0, b""
        received += more
    head, length = received, int(re.search(rb"(?i)content-length: (\d+)", received)[1])
    body = b""
    while len(body) < length:
        body += client.recv(length - len(body))
    return int(head[9:12]), body


def exchange(server: Small, request: bytes) -> tuple[int, bytes]:
    with server.connect() as client:
        client.sendall(request)
        return read_answer(client)


def is_open(client: socket.socket) -> bool:
    """Whether the server has neither answered nor closed."""
    return not select.select([client], [], [], 0)[0]


# What is read


def test_requests_are_answered_in_whatever_pieces_they_come() -> None:
    request = POST % (b"", 5, b"hello")
    with served() as server, server.connect() as client:
        for size in (1, 2, 7, 1000):
            for start in range(0, len(request), size):
                client.sendall(request[start : start + size])
                time.sleep(0.001)
            assert read_answer(client) == (200, b"hello")


def test_requests_behind_one_another_are_answered_in_order() -> None:
    with served() as server, server.connect() as client:
        client.sendall(b"".join(POST % (b"", 2, b"%02d" % number) for number in range(20)))
        assert [read_answer(client)[1] for _ in range(20)] == [b"%02d" % number for number in range(20)]


def test_who_asks_first_is_told_to_go_on() -> None:
    with served() as server, server.connect() as client:
        client.sendall(POST % (b"Expect: 100-continue\r\n", 5, b""))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert read_answer(client) == (200, b"hello")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST % (b"", 100_000_000, b""),
    ],
    ids=["chunked", "beyond any operation"],
)
def test_a_body_that_is_not_read_ends_the_connection(request_: bytes) -> None:
    """Otherwise what follows would be taken for a request: the application answers, then nothing more is read."""
    smuggled = GET % b"/77"
    with served() as server, server.connect() as client:
        client.sendall(request_ + smuggled)
        assert read_answer(client) == (200, b"")
        assert read_answer(client) == (0, b"")


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length : 5\r\n",
        b"X: a\r\n Content-Length: 5\r\n",
        b"X: a\nContent-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 99999999999999999999\r\nContent-Length: 5\r\n",
    ],
)
def test_what_is_ambiguous_is_refused(fields: bytes) -> None:
    with served() as server, server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\nhello" + GET % b"/77")
        received = b""
        while more := client.recv(4096):
            received += more
    assert received.startswith(b"HTTP/1.1 400")
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_header_is_bounded() -> None:
    with served() as server:
        assert exchange(server, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)[0] == 431


def test_an_error_of_the_application_shows_nothing() -> None:
    with served() as server:
        status, body = exchange(server, GET % b"/fails")
        assert status == 500
        assert b"canary" not in body
        assert exchange(server, GET % b"/3") == (200, b"xxx")


def test_a_client_that_breaks_off_leaves_no_line() -> None:
    with served() as server:
        for part in (b"", b"GET /", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"):
            with server.connect() as client:
                client.sendall(part)
        with server.connect(4096) as client:
            client.sendall(GET % b"/1000000")
        assert exchange(server, GET % b"/3") == (200, b"xxx")
        code, said = server.stop()
    assert code == 0
    assert "Traceback" not in said and "ERROR" not in said


def test_it_listens_at_a_unix_socket(tmp_path: Path) -> None:
    with served(bind=f"unix:{tmp_path / 'socket'}") as server:
        assert exchange(server, POST % (b"", 5, b"hello")) == (200, b"hello")
        assert exchange(server, GET % b"/address") == (200, b"none"), "what audit.client takes for a Unix socket"


# Who is late

STALLS: dict[str, bytes] = {"in a header": b"GET / HTTP/1.1\r\nHo", "in a body": POST % (b"", 9, b"half")}


@pytest.mark.parametrize("where", STALLS)
def test_who_stalls_is_told_and_dropped(where: str) -> None:
    with served(HEAD_SECONDS=1, SPEED_SECONDS=1) as server, server.connect() as client:
        client.sendall(STALLS[where])
        assert read_answer(client) == (408, b"")
        assert not client.recv(1)


@pytest.mark.parametrize("where", STALLS)
def test_control_with_time_it_stays(where: str) -> None:
    with served(HEAD_SECONDS=60, SPEED_SECONDS=60) as server, server.connect() as client:
        client.sendall(STALLS[where])
        time.sleep(3)
        assert is_open(client)


def test_a_byte_now_and_then_is_not_enough() -> None:
    with served(HEAD_SECONDS=1, SPEED_SECONDS=1) as server, server.connect() as header, server.connect() as body:
        body.sendall(POST % (b"", 100_000, b""))
        with pytest.raises(OSError):
            for _ in range(600):
                header.sendall(b"x")
                time.sleep(0.1)
        with pytest.raises(OSError):
            for _ in range(600):
                body.sendall(b"x")
                time.sleep(0.1)


def test_a_body_that_comes_slowly_and_steadily_is_taken() -> None:
    with served(HEAD_SECONDS=1, SPEED_SECONDS=1) as server, server.connect() as client:
        client.sendall(POST % (b"", 40_000, b""))
        for _ in range(40):
            client.sendall(b"x" * 1000)
            time.sleep(0.1)
        assert read_answer(client) == (200, b"x" * 40_000)


# Who holds what


def stall(server: Small, requests: list[bytes], held: ExitStack) -> list[socket.socket]:
    """Connections that send these and nothing more."""
    made = []
    for each in requests:
        made.append(held.enter_context(server.connect()))
        made[-1].sendall(each)
    return made


def slow_readers(server: Small, path: bytes, count: int, held: ExitStack) -> list[socket.socket]:
    """Connections that ask for much and read nothing."""
    made = [held.enter_context(server.connect(4096)) for _ in range(count)]
    for each in made:
        each.sendall(GET % path)
    return made


def is_answered(server: Small, request: bytes) -> bool:
    """Whether an answer begins within three seconds."""
    with server.connect() as client:
        client.settimeout(3)
        client.sendall(request)
        try:
            return bool(client.recv(1))
        except TimeoutError:
            return False


def test_slow_readers_hold_no_thread_and_get_all_of_it() -> None:
    with served() as server, ExitStack() as held:
        clients = slow_readers(server, b"/1500000", 4 * THREADS, held)
        assert exchange(server, GET % b"/3") == (200, b"xxx")
        for each in clients:
            assert read_answer(each) == (200, b"x" * 1_500_000)


def test_an_answer_longer_than_all_that_is_held_is_sent_whole() -> None:
    with served(ANSWERS=3_000_000) as server:
        assert exchange(server, GET % b"/9000000") == (200, b"x" * 9_000_000)


def test_of_those_who_read_too_long_an_answer_slowly_half_the_threads_are_held() -> None:
    with served() as server, ExitStack() as held:
        slow_readers(server, b"/in-parts/50000000", 2 * THREADS, held)
        assert exchange(server, GET % b"/3") == (200, b"xxx")


def test_control_threads_that_send_themselves_are_held() -> None:
    with served(environment={"WORKER": "gthread"}) as server, ExitStack() as held:
        slow_readers(server, b"/15000000", THREADS, held)
        assert not is_answered(server, GET % b"/3")


def test_where_connections_run_out_those_that_stall_make_room() -> None:
    with served(environment={"CONNECTIONS": "20"}, HEAD_SECONDS=600) as server, ExitStack() as held:
        stalled = stall(server, [b"GET / HT"] * 60, held)
        assert exchange(server, GET % b"/3") == (200, b"xxx")
        until(lambda: sum(map(is_open, stalled)) < 20)


def test_where_bytes_run_out_the_slowest_body_makes_room() -> None:
    with served(BODIES=1_000_000, HEAD_SECONDS=600, SPEED_SECONDS=600) as server, ExitStack() as held:
        stalled = stall(server, [POST % (b"", 300_000, b"x" * 200_000)] * 6, held)
        assert exchange(server, POST % (b"", 200_000, b"y" * 200_000)) == (200, b"y" * 200_000)
        answered = [each for each in stalled if not is_open(each)]
        assert answered
        assert {read_answer(each)[0] for each in answered} == {503}


def test_one_large_body_is_worked_on_at_a_time_and_others_pass() -> None:
    large = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    with served(LARGE=500) as server, ThreadPoolExecutor(3 * THREADS) as clients:
        waiting = [clients.submit(exchange, server, large) for _ in range(2 * THREADS)]
        assert exchange(server, GET % b"/3") == (200, b"xxx")
        assert not any(each.done() for each in waiting)
        assert exchange(server, GET % b"/go-on")[0] == 200
        assert {each.result()[0] for each in waiting} == {200}


def test_control_unless_all_are_small_for_it() -> None:
    large = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    with served(LARGE=5000) as server, ExitStack() as held:
        stall(server, [large] * THREADS, held)
        time.sleep(0.5)
        assert not is_answered(server, GET % b"/3")


def test_probes_have_a_thread_of_their_own() -> None:
    with served() as server, ExitStack() as held:
        stall(server, [GET % b"/wait"] * THREADS, held)
        time.sleep(0.5)
        assert exchange(server, GET % b"/livez") == (200, b"")


# The end


def test_what_has_begun_is_answered_at_the_end() -> None:
    with served() as server, server.connect() as half, server.connect() as idle:
        idle.sendall(GET % b"/1")
        read_answer(idle)
        half.sendall(POST % (b"", 5, b"he"))
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(1)
        half.sendall(b"llo")
        assert read_answer(half) == (200, b"hello")
        assert server.process.wait(PATIENCE) == 0
