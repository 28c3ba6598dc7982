"""The limits of the web server, and the sending side of a connection, shared by a thread that answers and the loop that
sends.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable

from vibe.serving.buffering import limits


class Outgoing:
    """The socket as a thread sees it: it takes bytes without waiting, up to `ANSWER` of them.

    `left` is called in the thread when bytes are left for the loop to send.
    """

    def __init__(self, raw: socket.socket, left: Callable[[], None]) -> None:
        self._raw, self._left = raw, left
        self._changed = threading.Condition()
        self._queue: deque[memoryview] = deque()
        self._broken = False
        self.size = 0
        self.holds_thread = False

    def sendall(self, data: bytes) -> None:
        """Send what the socket takes and queue the rest. Raises BrokenPipeError once the connection is gone."""
        with self._changed:
            self._require_unbroken()
            self._queue.append(memoryview(data))
            self.size += len(data)
            if len(self._queue) == 1:
                self._send_queue()
            if not self.size:
                return
            self.holds_thread = self.size > limits.ANSWER
        self._left()
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self.size <= limits.ANSWER)
            self.holds_thread = False
            self._require_unbroken()

    def send_more(self) -> int:
        """Send what the socket takes, and return how many bytes those were. Raises OSError."""
        with self._changed:
            before = self.size
            self._send_queue()
            self._changed.notify_all()
            return before - self.size

    def break_off(self) -> None:
        """Let go of everything; a thread that writes or waits gets BrokenPipeError."""
        with self._changed:
            self._broken, self.size = True, 0
            self._queue.clear()
            self._changed.notify_all()

    def _send_queue(self) -> None:
        while self._queue:
            try:
                sent = self._raw.send(self._queue[0])
            except BlockingIOError:
                return
            self.size -= sent
            if sent < len(self._queue[0]):
                self._queue[0] = self._queue[0][sent:]
                return
            self._queue.popleft()

    def _require_unbroken(self) -> None:
        if self._broken:
            raise BrokenPipeError

    # What gunicorn does to a socket when it answers an error. Waiting, reading and closing are the loop's.

    def gettimeout(self) -> float:
        return 0.0

    def settimeout(self, _seconds: float) -> None:
        pass

    def shutdown(self, _how: int) -> None:
        pass

    def recv(self, _size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass
