"""A server for agents over HTTP, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from django.db import connections

from tests.processes import PATIENCE
from vibe.mcp import calls, web
from vibe.mcp.connections import Connection


@pytest.fixture
def served(settings: Any) -> Iterator[str]:
    """The address of a server in a thread."""
    settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"log_config": None, "access_log": False, "ws": "none", "http": Connection}
    running = uvicorn.Server(uvicorn.Config(web.app(), port=port, **options))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}{web.PATH}"
    running.should_exit = True
    thread.join(PATIENCE)
    for pool, threads in ((calls.pool, calls.THREADS), (calls.sign_in_pool, calls.SIGN_IN_THREADS)):
        end_connections(pool, threads)


def end_connections(pool: ThreadPoolExecutor, threads: int) -> None:
    """Close those of every thread of a pool."""
    together = threading.Barrier(threads)

    def end() -> None:
        together.wait(PATIENCE)
        connections.close_all()

    for each in [pool.submit(end) for _ in range(threads)]:
        each.result(PATIENCE)
