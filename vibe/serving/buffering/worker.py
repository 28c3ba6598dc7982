"""The event loop and its threads, and how the memory of large bodies goes back to the system."""

from __future__ import annotations

import ctypes
import errno
import gc
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import Any, Final

from django.db import connections
from gunicorn import http
from gunicorn.workers.gthread import ThreadWorker

from vibe.serving.buffering import limits
from vibe.serving.buffering.connection import Connection, State

M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
APART: Final = 256 * 1024  # bytes

PROBES: Final = (b"GET /livez ", b"GET /readyz ", b"HEAD /livez ", b"HEAD /readyz ")
REFUSAL: Final = b"HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: 0\r\n\r\n"
TIMEOUT: Final = REFUSAL % (b"408 Request Timeout", b"")
TOO_LARGE: Final = REFUSAL % (b"431 Request Header Fields Too Large", b"")
BUSY: Final = REFUSAL % (b"503 Service Unavailable", b"Retry-After: 1\r\n")


def keep_large_apart() -> None:
    """Have glibc map whatever is large by itself, and unmap it when it is freed; elsewhere do nothing.

    By itself glibc raises that bound to what was freed last, up to 32 MB, and keeps the rest in each thread's arena.
    What was imported is left out of later collections.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, APART)
    gc.freeze()


def give_back() -> None:
    """Free what only circles hold, such as a request whose error refers to it, and what libpq's buffers grew to.

    They never shrink, so the thread's connections are closed; the next statement opens one.
    """
    connections.close_all()
    gc.collect()


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gthread with its clients apart from its threads. Everything but `handle` runs in the loop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections: set[Connection] = set()
        self.held = 0  # bytes of bodies
        self.large = ThreadPoolExecutor(1, thread_name_prefix="large")
        self.probes = ThreadPoolExecutor(1, thread_name_prefix="probe")
        self.swept = time.monotonic()

    def init_process(self) -> None:
        """Begin to serve. Threads hand on the interpreter more often: the loop waits for each of them."""
        sys.setswitchinterval(limits.SWITCH_SECONDS)
        keep_large_apart()
        super().init_process()

    # Connections

    def accept(self, listener: Any) -> None:
        """Accept one connection, and read what it has brought."""
        try:
            raw, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as problem:
            if problem.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self.drop_slowest(self.connections)
            return
        if self.nr_conns + 1 >= self.worker_connections:
            self.drop_slowest(self.connections)
        connection = Connection(raw, client, lambda each: self.method_queue.defer(self.bytes_left, each))
        self.connections.add(connection)
        self.nr_conns += 1
        self.readable(connection)

    def watch(self, connection: Connection, events: int, callback: Callable[[Connection], None] | None = None) -> None:
        """Call back when the socket can be read or written. With 0: not any more."""
        called = (lambda _, call=callback: call(connection)) if callback else None
        if connection.watched and events:
            self.poller.modify(connection.raw, events, called)
        elif connection.watched:
            self.poller.unregister(connection.raw)
        elif events:
            self.poller.register(connection.raw, events, called)
        connection.watched = events

    def drop(self, connection: Connection, last_words: bytes = b"") -> None:
        """Close at once."""
        with suppress(OSError):
            if last_words:
                connection.raw.send(last_words)
        self.watch(connection, 0)
        self.connections.remove(connection)
        self.nr_conns -= 1
        if connection.state is not State.RUNNING:  # or a thread has the body, or will
            self.let_go_of_body(connection)
        connection.sock.break_off()
        connection.raw.close()

    def linger(self, connection: Connection) -> None:
        """Close once the client has closed: closing with bytes unread would take back what was sent."""
        try:
            connection.raw.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(connection)
        else:
            connection.begin(State.LINGERING)
            self.watch(connection, selectors.EVENT_READ, self.readable)

    def refuse(self, connection: Connection, answer: bytes) -> None:
        """Answer without a thread, and close."""
        self.let_go_of_body(connection)
        with suppress(OSError):
            connection.raw.send(answer)
        self.linger(connection)

    # Requests

    def readable(self, connection: Connection) -> None:
        """Read what is there."""
        if connection not in self.connections:  # dropped since the loop heard of it
            return
        try:
            data = connection.raw.recv(limits.AT_ONCE)
        except BlockingIOError:
            if not connection.watched:
                self.watch(connection, selectors.EVENT_READ, self.readable)
            return
        except OSError:
            data = b""
        if not data:
            self.drop(connection)
        elif connection.state is not State.LINGERING:
            self.take(connection, data)

    def take(self, connection: Connection, data: bytes) -> None:
        """Add bytes to a request, and have it answered when it is whole."""
        before = connection.body.tell()
        try:
            connection.take(data)
        except OverflowError:
            self.refuse(connection, TOO_LARGE)
            return
        self.held += connection.body.tell() - before
        if connection.state is State.RUNNING:
            self.watch(connection, 0)
            self.enqueue_req(connection)
        elif not connection.watched:
            self.watch(connection, selectors.EVENT_READ, self.readable)
        if self.held > limits.BODIES:
            self.make_room(connection)

    def make_room(self, newest: Connection) -> None:
        """Refuse the bodies that have come slowest so far, or else the newest that waits for its turn."""
        now = time.monotonic()
        unfinished = [each for each in self.connections if each.state is State.BODY and each.body.tell()]
        for each in sorted(unfinished, key=lambda each: each.body.tell() / max(now - each.since, 0.001)):
            if self.held <= limits.BODIES:
                return
            self.refuse(each, BUSY)
        if self.held > limits.BODIES and newest.future and newest.future.cancel():
            self.refuse(newest, BUSY)

    def let_go_of_body(self, connection: Connection) -> None:
        self.held -= connection.body.tell()
        connection.forget_request()

    def enqueue_req(self, conn: Connection) -> None:
        """Have a request answered: a probe apart from the others, one with a large body in its turn."""
        pool = self.tpool
        if conn.head.startswith(PROBES):
            pool = self.probes
        elif conn.length > limits.LARGE:
            pool = self.large
        conn.future = pool.submit(self.handle, conn)
        conn.future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: Connection) -> bool:
        """Answer a request, in a thread. Return whether the connection can be used again."""
        try:
            return self.answer(conn)
        finally:
            if conn.length > limits.LARGE:
                give_back()

    def answer(self, conn: Connection) -> bool:
        """Parse a request and run the application. Return whether the connection can be used again."""
        request = None
        try:
            request = next(http.get_parser(self.cfg, iter([bytes(conn.head)]), conn.client))
            request.body = BytesIO(conn.body.getvalue())  # the same bytes, not a copy of them
            request._expected_100_continue = False  # the loop has said so
            return bool(self.handle_request(request, conn))
        except (http.errors.NoMoreData, StopIteration, ConnectionError):
            return False
        except Exception as problem:
            self.handle_error(request, conn.sock, conn.client, problem)
            return False

    # Answers

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Send the rest of an answer."""
        if fs.cancelled():  # refused while it waited
            return
        again, conn.future = conn.reusable and fs.result(), None
        self.let_go_of_body(conn)
        conn.reusable = again
        if conn not in self.connections:
            return
        conn.begin(State.WRITING)
        if conn.sock.size:
            self.watch(conn, selectors.EVENT_WRITE, self.writable)
        else:
            self.answered(conn)

    def answered(self, connection: Connection) -> None:
        """Go on to the next request, or close."""
        if not connection.reusable:
            self.linger(connection)
            return
        connection.patience = self.cfg.keepalive if self.alive else min(self.cfg.keepalive, limits.LINGER_SECONDS)
        connection.begin(State.IDLE)
        self.watch(connection, selectors.EVENT_READ, self.readable)
        if data := connection.beyond:
            connection.beyond = b""
            self.take(connection, data)

    def bytes_left(self, connection: Connection) -> None:
        """Send what a thread could not. Drop the slowest reader if their answers or threads are too many."""
        if connection not in self.connections or not connection.sock.size:
            return
        if connection.watched != selectors.EVENT_WRITE:
            connection.measure_anew()
            self.watch(connection, selectors.EVENT_WRITE, self.writable)
        slow = [each for each in self.connections if each.sock.size]
        # What is beyond ANSWER holds a thread, and is bounded by their number.
        if sum(min(each.sock.size, limits.ANSWER) for each in slow) > limits.ANSWERS:
            self.drop_slowest(slow)
        holding = [each for each in slow if each.sock.holds_thread]
        if len(holding) > max(1, self.cfg.threads // 2):
            self.drop_slowest(holding)

    def writable(self, connection: Connection) -> None:
        """Send what the socket takes."""
        if connection not in self.connections:
            return
        try:
            connection.moved += connection.sock.send_more()
        except OSError:
            self.drop(connection)
            return
        if not connection.sock.size:
            self.watch(connection, 0)
            if connection.state is State.WRITING:
                self.answered(connection)

    # Time

    def drop_slowest(self, among: Iterable[Connection]) -> None:
        """Drop one with nothing under way, else the one longest at its header, else the one of the least speed."""
        order = (State.LINGERING, State.IDLE, State.HEAD)
        droppable = [each for each in among if each.state is not State.RUNNING or each.sock.size]

        def worth(each: Connection) -> tuple[int, float]:
            return (order.index(each.state), each.since) if each.state in order else (len(order), each.speed)

        if droppable:
            self.drop(min(droppable, key=worth))

    def murder_keepalived(self, force: bool = False) -> None:
        """Drop who is late. gunicorn calls this in each turn of its loop, and with `force` at the end."""
        now = time.monotonic()
        if force:
            for each in list(self.connections):
                self.drop(each)
            self.probes.shutdown(wait=False)
            self.large.shutdown(wait=False)
        elif now - self.swept > limits.SWEEP_SECONDS:
            for each in self.connections:
                each.measure(now - self.swept)
            self.swept = now
            for each in [each for each in self.connections if each.is_late(now)]:
                self.drop(each, TIMEOUT if each.state in (State.HEAD, State.BODY) else b"")

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait less for requests that have not begun. gunicorn calls this when it is to end."""
        for each in self.connections:
            each.patience = min(each.patience, limits.LINGER_SECONDS)
