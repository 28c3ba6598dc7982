"""The web server: gunicorn in this process, with threads.

SIGTERM drains it: no new connection is accepted, every accepted request is answered, then it ends. Where a socket is
handed over (systemd's socket activation), connections that come meanwhile wait in it for the next start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections
from gunicorn.app.base import BaseApplication

from vibe.metrics import shared


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where to listen (HOST:PORT, or unix:PATH), how many processes, how many threads in each."""

    bind: str
    processes: int = 1
    threads: int = 8

    def arguments(self) -> list[str]:
        """As the command line of `serve` takes them."""
        return ["--bind", self.bind, "--processes", str(self.processes), "--threads", str(self.threads)]


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured by us alone: no file of its own, no command line."""

    def __init__(self, options: WebOptions) -> None:
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        chosen = {
            "bind": self.options.bind,
            "workers": self.options.processes,
            "worker_class": "gthread",
            "threads": self.options.threads,
            "graceful_timeout": settings.SHUTDOWN_SECONDS,
            "preload_app": True,  # imported once, before the fork
            "control_socket_disable": True,
            "proc_name": "vibe",
            "logger_class": "vibe.core.logs.server.ServerLog",
            "child_exit": lambda _server, worker: shared.forget(worker.pid),
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application. What was opened before the fork is closed: no connection is used by two processes."""
        from vibe.wsgi import application  # noqa: PLC0415  it sets Django up

        for connection in connections.all(initialized_only=True):
            connection.close()
            if hasattr(connection, "close_pool"):
                connection.close_pool()
        return application


def adopt_listeners() -> None:
    """A socket that systemd handed to our supervisor is ours: it stays open through the start of a child."""
    if os.environ.get("LISTEN_PID") == str(os.getppid()):
        os.environ["LISTEN_PID"] = str(os.getpid())
