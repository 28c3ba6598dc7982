"""What the Python client takes on top of the same request by httpx2 alone, taking turns against a local server.

    python -m benchmarks.client [--calls 2000]

The server answers every request with the same memory, so what is left is the client's own: the token, headers, JSON
and the answer's type. The target is 1 ms a call at most.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from benchmarks.harness import show
from scripts.make_clients import CLIENTS

sys.path.insert(0, str(CLIENTS / "python"))
from vibe_client import AsyncVibe, Vibe

SERVER = """
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"id": "0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f", "text": "I moved to Lisbon."}).encode()
        head = "HTTP/1.1 201 Created\\r\\nContent-Type: application/json\\r\\nContent-Length: {}\\r\\n\\r\\n"
        self.wfile.write(head.format(len(body)).encode() + body)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
SAID = {"author": "Ada", "text": "I moved to Lisbon last Friday."}
PATH = "/api/v1/conversations/1/memories"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="of each kind")
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        waiting = asyncio.run(measure(options.calls, *async_calls(address)))
        show({"calls": options.calls, "sync": asyncio.run(measure(options.calls, *calls(address))), "async": waiting})
    finally:
        server.kill()
        server.wait()


def calls(address: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return a call by the client and the same by httpx2."""
    vibe, bare = Vibe(address, "token"), httpx2.Client(base_url=address)
    return (
        lambda: vibe.add_memory("1", author="Ada", text=SAID["text"]),
        lambda: bare.post(PATH, content=json.dumps(SAID)).json(),
    )


def async_calls(address: str) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]:
    """Return both for asyncio."""
    vibe, bare = AsyncVibe(address, "token"), httpx2.AsyncClient(base_url=address)

    async def post() -> Any:
        return (await bare.post(PATH, content=json.dumps(SAID))).json()

    return lambda: vibe.add_memory("1", author="Ada", text=SAID["text"]), post


async def measure(rounds: int, client: Callable[[], Any], bare: Callable[[], Any]) -> dict[str, float]:
    """Return medians in milliseconds, and their difference."""
    taken: dict[str, list[float]] = {"client": [], "httpx2": []}
    for _ in range(rounds):
        for name, call in (("client", client), ("httpx2", bare)):
            start = time.perf_counter()
            given = call()
            if isinstance(given, Awaitable):
                await given
            taken[name].append(1000 * (time.perf_counter() - start))
    half = {name: statistics.median(each) for name, each in taken.items()}
    return {**half, "overhead": half["client"] - half["httpx2"], "times_httpx2": half["client"] / half["httpx2"]}


if __name__ == "__main__":
    main()
