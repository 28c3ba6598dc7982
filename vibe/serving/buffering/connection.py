"""One client: what has come of its request, what the loop does with it, and whether it is late."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum
from io import BytesIO
from typing import Any, Final

from django.conf import settings

from vibe.serving.buffering import limits
from vibe.serving.buffering.outgoing import Outgoing

LONGEST_LENGTH: Final = 15  # digits
FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    """What the loop does with a connection."""

    IDLE = "wait for the first byte of a request"
    HEAD = "read the header"
    BODY = "read the body"
    RUNNING = "a thread answers, or will"
    WRITING = "the thread is done: send the rest of the answer"
    LINGERING = "the answer is sent: read and drop what still comes (RFC 9112, section 9.6)"


class Connection:
    """A client, and its request as far as it has come. gunicorn reads `sock`, `client` and `server`."""

    def __init__(self, raw: socket.socket, client: Any, left: Callable[[Connection], None]) -> None:
        raw.setblocking(False)
        self.raw, self.client, self.server = raw, client, raw.getsockname()
        self.sock = Outgoing(raw, lambda: left(self))
        self.watched = 0
        self.patience: float = limits.HEAD_SECONDS  # for the first byte
        self.beyond = b""  # what came after the end of the request
        self.future: Future[bool] | None = None  # of the thread that answers
        self.begin(State.IDLE)
        self.forget_request()

    def begin(self, state: State) -> None:
        """Enter a state, whose time and speed begin now."""
        self.state = state
        self.measure_anew()

    def measure_anew(self) -> None:
        self.since, self.moved, self.speed = time.monotonic(), 0, float(limits.FIRST_SPEED)

    def measure(self, seconds: float) -> None:
        """Average the speed with that of the last so many seconds."""
        weight = min(seconds / limits.SPEED_SECONDS, 1)
        self.speed += weight * (min(self.moved / seconds, limits.TOP_SPEED) - self.speed)
        self.moved = 0

    def forget_request(self) -> None:
        """Begin the next one."""
        self.head, self.body, self.length, self.reusable = bytearray(), BytesIO(), 0, True

    def is_late(self, now: float) -> bool:
        """Return whether the client takes longer than it may."""
        match self.state:
            case State.IDLE:
                return now - self.since > self.patience
            case State.HEAD:
                return now - self.since > limits.HEAD_SECONDS
            case State.LINGERING:
                return now - self.since > limits.LINGER_SECONDS
            case State.RUNNING if not self.sock.size:
                return False
        return self.speed < limits.LEAST_SPEED

    def take(self, data: bytes) -> None:
        """Add bytes to the request; in state RUNNING it is whole. Raises OverflowError for a header too long."""
        if self.state is State.IDLE:
            self.begin(State.HEAD)
        if self.state is State.HEAD:
            seen = max(0, len(self.head) - 3)
            self.head += data
            end = self.head.find(b"\r\n\r\n", seen) + 4
            if end < 4:
                if len(self.head) > limits.HEAD_BYTES:
                    raise OverflowError
                return
            data = bytes(self.head[end:])
            del self.head[end:]
            self._read_framing()
            self.begin(State.BODY)
        missing = self.length - self.body.tell()
        self.body.write(data[:missing])
        self.moved += min(missing, len(data))
        if len(data) >= missing:
            self.beyond = data[missing:]
            self.begin(State.RUNNING)

    def _read_framing(self) -> None:
        """Find out how long the body is. gunicorn parses the header again, and refuses what is ambiguous.

        A body without a length, or longer than any operation takes, is not read: the application answers 411 or 413,
        and the connection ends.
        """
        fields = [(name.lower(), value.strip()) for name, value in FRAMING.findall(self.head)]
        lengths = [value for name, value in fields if name == b"content-length"] or [b"0"]
        clear = len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) <= LONGEST_LENGTH
        self.length = int(lengths[0]) if clear else 0
        self.reusable = clear and not any(name == b"transfer-encoding" for name, _ in fields)
        if not self.reusable or self.length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            self.length, self.reusable = 0, False
        if self.length and any(name == b"expect" for name, _ in fields):
            with suppress(OSError):
                self.raw.send(CONTINUE)
