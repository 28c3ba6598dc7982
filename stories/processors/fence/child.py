"""The child: does one task after another, each within limits that the kernel keeps.

CPU seconds: RLIMIT_CPU, from what was used before the task. Seconds in all: a timer whose signal ends the process.
Memory: RLIMIT_DATA, which Linux keeps for all private memory; elsewhere a thread watches. Nothing the child prints
reaches a log, and it leaves no core file: both could hold what people said.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import socket
import sys
import threading
import time
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import django
import numpy as np
from django.core.exceptions import AppRegistryNotReady

from stories.processors.fence.wire import Frame, Kind, dump, load, receive, send
from vibe.core.errors import VibeError

NO_MEMORY = 86
"""The exit code of a child that its watching thread ended."""
LOOK_SECONDS = 0.05
GROWN = 4
"""A child that came to hold a quarter of its allowance between tasks is replaced."""


def work(connection: socket.socket, made: dict[str, Any]) -> None:
    """Do tasks until the other side closes, or until this process is not as good as a new one."""
    _be_quiet()
    for number in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    held, threads = held_bytes(), threading.active_count()
    watch = None if sys.platform == "linux" else MemoryWatch()
    send(connection, Frame(Kind.READY))
    while True:
        try:
            path, method, argument, cpu_seconds, memory, wall_seconds = load(receive(connection).body)
        except (EOFError, OSError):
            return
        _limit_cpu(cpu_seconds)
        if watch:
            watch.most = held + memory
        else:
            _limit(resource.RLIMIT_DATA, held + memory)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds)
        kind, body = _answer(made, path, method, argument)
        signal.setitimer(signal.ITIMER_REAL, 0)
        last = (
            kind is Kind.NO_MEMORY
            or held_bytes() > held + memory // GROWN
            or threading.active_count() > threads + (watch is not None)
        )
        send(connection, Frame(kind, body, last))
        if last:
            return
        del argument, body


def make(path: str) -> Any:
    """Return an instance of the class at `module:name`, with what it loads once in place."""
    module, _, name = path.partition(":")
    try:
        found = import_module(module)
    except AppRegistryNotReady:  # a class of somebody's own, whose module imports models
        django.setup()
        found = import_module(module)
    instance = attrgetter(name)(found)()
    if hasattr(instance, "preload"):
        instance.preload()
    return instance


def held_bytes() -> int:
    """Return the private memory of this process; where the system does not say, the most it ever had resident."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmData:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _answer(made: dict[str, Any], path: str, method: str, argument: Any) -> tuple[Kind, bytes]:
    try:
        if path not in made:
            made[path] = make(path)
        value = getattr(made[path], method)(argument)
        if isinstance(value, np.ndarray):
            value = (value.shape, np.ascontiguousarray(value, dtype=np.float32).tobytes())
        return Kind.ANSWER, dump(value)
    except MemoryError:
        return Kind.NO_MEMORY, b""
    except VibeError as problem:
        return _told(problem)
    except BaseException as problem:
        return Kind.OTHER_ERROR, dump(type(problem).__name__)


def _told(problem: VibeError) -> tuple[Kind, bytes]:
    try:
        return Kind.OWN_ERROR, dump((type(problem), problem.args, vars(problem)))
    except Exception:
        return Kind.OTHER_ERROR, dump(type(problem).__name__)


def _be_quiet() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    _limit(resource.RLIMIT_CORE, 1)  # of 0 bytes, Linux would still pipe one to a program; of 1 it makes none


def _limit_cpu(seconds: int) -> None:
    _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _limit(what: int, most: int) -> None:
    """Set the soft limit: the next task sets it again."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


class MemoryWatch:
    """A thread that ends the process when it holds too much, for systems that keep no limit on memory."""

    def __init__(self) -> None:
        self.most = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            if self.most and held_bytes() > self.most:
                os._exit(NO_MEMORY)
