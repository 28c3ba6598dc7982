"""The fork server: a process that loads processor and model once, and forks a child whenever one is asked for.

It is started as a program of its own, so nothing of the process that uses it is in it: no thread, no database
connection, no opened key. It has one thread, which makes forking safe. It reads no task: what people said passes from
the caller to the child over a socket of theirs.

    caller ── control ── fork server        a socket for each new child
       └────── socket ── child              tasks and answers; when the child ends, the server says how

The server ends a child when the caller closes its socket, and all of them when the caller ends or on SIGTERM.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, NoReturn

from stories.processors.fence.child import make, work
from stories.processors.fence.wire import Frame, Kind, send

STATUS = struct.Struct("!i")


class ForkServer:
    """Forks children on request, ends them, and tells how they ended."""

    def __init__(self, control: socket.socket, made: dict[str, Any]) -> None:
        self.control = control
        self.made = made
        self.children: dict[int, socket.socket | None] = {}
        """By process id, a second handle on the child's socket; None once the caller has closed the other end."""
        self.woken, self.waking = socket.socketpair()

    def serve(self) -> None:
        """Serve until the caller closes the control socket."""
        for each in (self.woken, self.waking):
            each.setblocking(False)
        signal.set_wakeup_fd(self.waking.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while self._serve_once():
                pass
        finally:
            for process in self.children:
                os.kill(process, signal.SIGKILL)

    def _serve_once(self) -> bool:
        """Wait for something to happen and act on it. Return whether the caller is still there."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.woken, select.POLLIN)
        ends = {end.fileno(): process for process, end in self.children.items() if end}
        for end in ends:
            poll.register(end, 0)  # hang-up alone is reported: tasks are for the child to read
        happened = dict(poll.poll())
        for end in happened.keys() & ends.keys():
            self._end(ends[end])
        if self.woken.fileno() in happened:
            with suppress(BlockingIOError):
                self.woken.recv(4096)
            self._reap()
        if self.control.fileno() in happened:
            data, given, _, _ = socket.recv_fds(self.control, 1, 1)
            for descriptor in given:
                self._fork(socket.socket(fileno=descriptor))
            return bool(data)
        return True

    def _fork(self, end: socket.socket) -> None:
        try:
            process = os.fork()
        except OSError:
            end.close()  # which tells the caller
            return
        if process:
            self.children[process] = end
        else:
            self._be_child(end)

    def _be_child(self, end: socket.socket) -> NoReturn:
        """Be the child until it has done its work; never return into the server's code."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for other in (self.control, self.woken, self.waking, *filter(None, self.children.values())):
                other.close()
            work(end, self.made)
        finally:
            os._exit(0)

    def _end(self, process: int) -> None:
        end, self.children[process] = self.children[process], None
        if end:
            end.close()
        os.kill(process, signal.SIGKILL)

    def _reap(self) -> None:
        while self.children:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            end = self.children.pop(process, None)
            if end:
                with suppress(OSError):  # the caller is gone, or does not read
                    send(end, Frame(Kind.ENDED, STATUS.pack(status), last=True), socket.MSG_DONTWAIT)
                end.close()


def main(control: int, paths: list[str]) -> None:
    """Load the classes at `paths`, and serve the socket with the file descriptor `control`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of the terminal; the caller decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    made = {}
    for path in paths:
        with suppress(Exception):  # a task finds the same fault, and is answered with it
            made[path] = make(path)
    gc.collect()
    gc.freeze()  # or the first collection in each child would write to every page
    ForkServer(socket.socket(fileno=control), made).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
