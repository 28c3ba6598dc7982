"""A receiver of webhooks in a thread of the test: what it got, and how it answers."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class Receiver:
    """What a receiver got, by the request. `answer` gives the status for one, or answers by itself and gives None."""

    answer: Callable[[Got, BaseHTTPRequestHandler], int | None] = lambda *_: 204
    got: list[Got] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    port: int = 0
    scheme: str = "http"
    lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?of=ours"

    @property
    def times(self) -> Counter[str]:
        """How often each message came."""
        return Counter(each.id for each in self.got)


@contextmanager
def receiving(receiver: Receiver, *, certificate: Path | None = None, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """Serve for the block, by https with a certificate and its key in one file."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with receiver.lock:
                receiver.got.append(got)
                status = receiver.answer(got, self)
            if status is not None:
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A sender that hung up is no fault."""

    server = Server((host, 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver.scheme = "https"
    receiver.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
