"""The programs of Vibe as child processes that start and end together, ended on Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings

from vibe.serving.web import WebOptions

PATIENCE_SECONDS = 15
LOOK_EVERY_SECONDS = 0.2
SHORT_LIFE_SECONDS = 5

FIRST_LISTENER = 3  # systemd's numbering


@dataclass
class Child:
    """One program. When a `vital` one ends, all end; any other is restarted."""

    name: str
    arguments: Sequence[str]
    vital: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    pass_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0

    def start(self) -> None:
        """Start it in its own session, so that the terminal's Ctrl-C reaches it only through us."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.arguments,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=self.pass_fds,
        )

    def has_ended(self) -> bool:
        """Return whether it was started and has ended."""
        return self.process is not None and self.process.poll() is not None


class Supervisor:
    """Keeps children running until a signal stops it. `exit_code` is then 0, or 1 if a vital child ended by itself."""

    def __init__(self, children: Sequence[Child], *, patience: float = PATIENCE_SECONDS) -> None:
        self.children = children
        self.patience = patience
        self.exit_code = 0
        self._stopping = False

    def run(self) -> int:
        """Start all children, wait, end them, and return the exit code."""
        handlers = {each: signal.signal(each, self._stop) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            for child in self.children:
                child.start()
            while not self._stopping:
                time.sleep(LOOK_EVERY_SECONDS)
                self._look_after()
        finally:
            self._end_all()
            for each, handler in handlers.items():
                signal.signal(each, handler)
        return self.exit_code

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _look_after(self) -> None:
        for child in self.children:
            if not child.has_ended() or self._stopping:
                continue
            if child.vital:
                print(f"The {child.name} ended by itself; see its message above.", file=sys.stderr)
                self.exit_code, self._stopping = 1, True
            elif time.monotonic() - child.started_at > SHORT_LIFE_SECONDS:
                print(f"The {child.name} ended by itself and is started again.", file=sys.stderr)
                child.start()

    def _end_all(self) -> None:
        running = [child.process for child in self.children if child.process and not child.has_ended()]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self.patience
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def web_server(options: WebOptions, **environment: str) -> Child:
    """Return the web server alone; its parent has run the steps before serving."""
    return Child(
        "web server",
        [*manage(), "serve", "--prepared", *options.arguments()],
        environment={"DEBUG": "on" if settings.DEBUG else "off", **environment},
        pass_fds=handed_over(),
    )


def worker(**environment: str) -> Child:
    """Return the worker of all classes of work, which is restarted when it ends."""
    environment = {"DEBUG": "on" if settings.DEBUG else "off", **environment}
    return Child("worker", [*manage(), "worker"], vital=False, environment=environment)


def manage() -> list[str]:
    """Return the command line of manage.py of this installation."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py")]


def handed_over() -> tuple[int, ...]:
    """Return the file descriptors of the sockets that systemd passed to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return ()
    return tuple(range(FIRST_LISTENER, FIRST_LISTENER + int(os.environ.get("LISTEN_FDS", "0"))))
