"""The web server: gunicorn in this process, with threads.

SIGTERM drains it: it accepts no new connection, answers every accepted request, then ends. With systemd's socket
activation, new connections wait in the socket for the next start.
"""

from __future__ import annotations

import gc
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections
from django.urls import get_resolver
from gunicorn.app.base import BaseApplication

from stories.search.warming import warm_up
from vibe.metrics import shared
from vibe.serving.buffering import limits

WORKER = "vibe.serving.buffering.worker.BufferingWorker"


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Address to listen on (HOST:PORT or unix:PATH), number of processes, and threads in each."""

    bind: str
    processes: int = 1
    threads: int = 8

    def arguments(self) -> list[str]:
        """Return them as arguments of the command `serve`."""
        return ["--bind", self.bind, "--processes", str(self.processes), "--threads", str(self.threads)]


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured here alone, without its own file or command line.

    It warms up from when it is made, beside the steps before serving: unpacking the model leaves a core to them.
    """

    def __init__(self, options: WebOptions) -> None:
        self.options = options
        self._thread = ThreadPoolExecutor(1)
        self._warmed = self._thread.submit(warm_up)
        super().__init__()

    def load_config(self) -> None:
        chosen = {
            "bind": self.options.bind,
            "workers": self.options.processes,
            "worker_class": WORKER,
            "threads": self.options.threads,
            "worker_connections": connections_at_most(),
            "sendfile": False,  # it would wait for the client
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
        """Return the application, with all that a first request loads: the processes share that memory.

        Close connections opened before the fork, so that no two processes share one.
        """
        from vibe.wsgi import application  # noqa: PLC0415  it sets Django up

        get_resolver().url_patterns  # noqa: B018  imports all views
        with self._thread:  # it has ended before the fork
            self._warmed.result()
        gc.collect()
        gc.freeze()  # or the next collection writes to, and so copies, every page that objects are on
        gc.enable()
        for connection in connections.all(initialized_only=True):
            connection.close()
            if hasattr(connection, "close_pool"):
                connection.close_pool()
        return application


def connections_at_most() -> int:
    """Return how many clients a process has at once: as many as it may open files, less those it needs itself."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(100, min(limits.CONNECTIONS, files - limits.OWN_FILES))


def adopt_listeners() -> None:
    """Take over the sockets that systemd passed to our supervisor; they stay open when a child starts."""
    if os.environ.get("LISTEN_PID") == str(os.getppid()):
        os.environ["LISTEN_PID"] = str(os.getpid())
