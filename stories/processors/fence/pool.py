"""The caller's side: the fork server of this process, and the children that wait for the next task.

A child is used again, because a new one costs 20 ms of page faults for its first embedding; see docs/operations.md. It
is replaced when it died, was ended, or has grown.
"""

from __future__ import annotations

import os
import pickle  # nosec B403
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stories.processors.errors import Crashed, OutOfMemory, ProcessorFailed, Stopped, TimedOut
from stories.processors.fence.child import NO_MEMORY
from stories.processors.fence.server import STATUS, ForkServer
from stories.processors.fence.wire import Frame, Kind, dump, load, receive, send
from vibe.core.errors import VibeError

START_SECONDS = 120
"""For the server to load its classes, on a busy machine."""
SPARE_SECONDS = 5
"""After the limit, for a child that changed what its timer does."""
END_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one task may take."""

    cpu_seconds: int
    memory_mb: int
    """On top of what the child holds when it is new."""
    wall_seconds: float


class Pool:
    """Runs tasks in children, as many at a time as there are callers. Safe to share between threads."""

    def __init__(self, preload: Callable[[], Iterable[str]]) -> None:
        """Take the paths of the classes that the server loads at its start."""
        self._preload = preload
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._idle: list[socket.socket] = []
        self._busy: set[socket.socket] = set()
        self._stopped = False

    def run(self, who: str, path: str, method: str, argument: object, limits: Limits) -> Any:
        """Call a method of the class at `path` in a child; return what it returned.

        Raises a ProcessorFailed that calls the class `who`, or the VibeError that the method raised.
        """
        task = dump((path, method, argument, limits.cpu_seconds, limits.memory_mb << 20, limits.wall_seconds))
        child = self._take()
        keep = False
        try:
            child.settimeout(limits.wall_seconds + SPARE_SECONDS)
            with suppress(BrokenPipeError):  # it died since; why stands on the socket
                send(child, Frame(Kind.TASK, task))
            frame = receive(child)
            keep = not frame.last
        except TimeoutError:
            frame = Frame(Kind.ENDED, STATUS.pack(signal.SIGALRM))
        except (EOFError, OSError, ValueError):
            frame = Frame(Kind.ENDED)
        finally:
            self._give_back(child, keep=keep)
        if frame.kind is Kind.ENDED and self._stopped:
            raise Stopped
        return _result(who, frame, limits)

    def stop(self) -> None:
        """End all children now, and start no more until `resume`. Whoever waits for one gets Stopped."""
        self._stopped = True
        self.close()

    def resume(self) -> None:
        """Start children again when they are needed."""
        self._stopped = False

    def close(self) -> None:
        """End all children; the next task starts new ones."""
        with self._lock:
            for child in self._busy:
                with suppress(OSError):
                    child.shutdown(socket.SHUT_RDWR)
            self._drop_server()

    def _take(self) -> socket.socket:
        """Return a child that waits for a task: one that was used before, or a new one."""
        with self._lock:
            if self._stopped:
                raise Stopped
            if self._server is None or self._server.has_ended():
                self._drop_server()
                self._server = _Server(self._preload())
            child, used = self._used_child(), True
            if child is None:
                child, used = self._server.fork(), False
            self._busy.add(child)
        if used or self._is_ready(child):
            return child
        self._give_back(child, keep=False)
        raise Stopped if self._stopped else Crashed("No process for the processor could be started.")

    def _used_child(self) -> socket.socket | None:
        while self._idle:
            child = self._idle.pop()
            if not select.select([child], [], [], 0)[0]:
                return child
            child.close()  # it died
        return None

    @staticmethod
    def _is_ready(child: socket.socket) -> bool:
        child.settimeout(START_SECONDS)
        try:
            return receive(child).kind is Kind.READY
        except (EOFError, OSError, ValueError):
            return False

    def _give_back(self, child: socket.socket, *, keep: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            if keep and self._server:
                self._idle.append(child)
            else:
                child.close()  # the server ends it, if it has not ended

    def _drop_server(self) -> None:
        for child in self._idle:
            child.close()
        self._idle.clear()
        if self._server:
            self._server.end()
        self._server = None


class _Server:
    """The running fork server, and the socket on which children are asked for."""

    def __init__(self, preload: Iterable[str]) -> None:
        """Start it with an environment like ours, and our search path for modules."""
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", ForkServer.__module__, str(theirs.fileno()), *preload],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path),
                    "OPENBLAS_NUM_THREADS": "1",  # with one thread of its own, and no other, forking is safe
                    "VECLIB_MAXIMUM_THREADS": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def has_ended(self) -> bool:
        """Return whether it ended by itself."""
        return self.process.poll() is not None

    def fork(self) -> socket.socket:
        """Ask for a child; return our end of its socket."""
        ours, theirs = socket.socketpair()
        with theirs, suppress(OSError):  # the server died since; the child's socket is at its end then
            socket.send_fds(self.control, [b"+"], [theirs.fileno()])
        return ours

    def end(self) -> None:
        """End it, and with it its children."""
        self.control.close()
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _result(who: str, frame: Frame, limits: Limits) -> Any:
    """Return what a frame holds, or raise it."""
    if frame.kind is Kind.NO_MEMORY:
        raise _out_of_memory(who, limits)
    if frame.kind is Kind.ENDED:
        raise _ended(who, frame, limits)
    try:
        value = load(frame.body)
        if frame.kind is Kind.ANSWER:
            return value
        if frame.kind is Kind.OTHER_ERROR and str(value).isidentifier():
            problem: VibeError = ProcessorFailed(f"The {who} failed: {value}.")
        else:
            kind, arguments, attributes = value
            problem = kind.__new__(kind, *arguments)
            vars(problem).update(attributes)
    except (pickle.UnpicklingError, AttributeError, TypeError, ValueError, EOFError):
        problem = ProcessorFailed(f"The {who} gave something else than plain values.")
    raise problem from None


def _ended(who: str, frame: Frame, limits: Limits) -> ProcessorFailed:
    """Return why a child ended without an answer."""
    if not frame.body:
        return Crashed(f"The process of the {who} ended before it answered.")
    [status] = STATUS.unpack(frame.body)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU:
        return TimedOut(
            f"The {who} used more than {limits.cpu_seconds} CPU seconds. Raise PROCESSOR_CPU_SECONDS if it needs more."
        )
    if code == -signal.SIGALRM:
        return TimedOut(
            f"The {who} gave no answer within {limits.wall_seconds:g} seconds. Raise PROCESSOR_WALL_SECONDS if it "
            "needs longer."
        )
    if code == NO_MEMORY:
        return _out_of_memory(who, limits)
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return Crashed(f"The process of the {who} ended {how} before it answered.")


def _out_of_memory(who: str, limits: Limits) -> OutOfMemory:
    return OutOfMemory(
        f"The {who} took more than {limits.memory_mb} MB of memory. Raise PROCESSOR_MEMORY_MB if it needs more."
    )
