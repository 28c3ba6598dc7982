"""The web server's worker with a small application, in a process of its own.

`python -m tests.buffered ADDRESS NAME=VALUE …`, where each NAME is one of vibe.serving.buffering.limits.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from gunicorn.app.base import BaseApplication

from vibe.serving.buffering import limits

THREADS = 4
go_on = threading.Event()


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
    """Answer what was sent; or `/N`, that many bytes at once; or `/in-parts/N`; or `/address`, the client's; or
    `/wait`, until `/go-on`.
    """
    path, body = environ["PATH_INFO"], environ["wsgi.input"].read()
    if path == "/wait":
        go_on.wait(60)
    if path == "/go-on":
        go_on.set()
    if path == "/fails":
        raise RuntimeError("a canary")
    if path == "/address":
        body = environ["REMOTE_ADDR"].encode() or b"none"
    if path.strip("/").isdecimal():
        body = b"x" * int(path.strip("/"))
    if path.startswith("/in-parts/"):
        start("200 OK", [("Content-Type", "text/plain")])
        return iter([b"x" * 65_536] * (int(path.rpartition("/")[2]) // 65_536))
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return iter([body])


class Small(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def load_config(self) -> None:
        chosen = {
            "bind": sys.argv[1],
            "threads": THREADS,
            "worker_class": os.environ.get("WORKER", "vibe.serving.buffering.worker.BufferingWorker"),
            "worker_connections": int(os.environ.get("CONNECTIONS", "1000")),
            "sendfile": False,
            "control_socket_disable": True,
            "graceful_timeout": 20,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return application


def main() -> None:
    settings.configure(DATA_UPLOAD_MAX_MEMORY_SIZE=8 * 1024 * 1024)
    for name, value in (each.split("=") for each in sys.argv[2:]):
        assert hasattr(limits, name)
        setattr(limits, name, int(value))
    Small().run()


if __name__ == "__main__":
    main()
