"""A service on this machine that speaks the protocol, and misbehaves when it is told to."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from stories.processors.base import Message, Transcript
from tests.cast import DAY

CANARY = "zitronenfalter"
"""Stands in every text that is sent, and in every answer: it must be seen nowhere else."""
KEY = "sk-canary-geheimnis"

SAID = Transcript(
    f"Moving {CANARY}",
    (
        Message("id-one", "Ada", f"I moved to Lisbon last Friday with my {CANARY}.", DAY),
        Message("id-two", "Tomas", "I dropped the piano on my foot.", DAY),
    ),
)
STORY: dict[str, Any] = {
    "title": f"Ada moves with a {CANARY}",
    "text": "Ada moved to Lisbon. Tomas dropped the piano.",
    "people": ["Ada", "Tomas"],
    "places": ["Lisbon"],
    "events": [
        {"who": "Ada", "what": "moved to Lisbon", "when": "2026-05-08", "precision": "day", "message": 1},
        {"who": "Tomas", "what": "dropped the piano", "when": None, "precision": "none", "message": 2},
    ],
}


@dataclass
class Reply:
    """How one request is answered. What is not given is as it should be."""

    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0
    """Seconds before anything is sent."""
    drip: float = 0.0
    """Seconds between two bytes."""
    cut: bool = False
    """Half of the body, and then the connection is closed."""


class FakeService:
    """Answers by `script`, one reply a request; then, and for an empty reply, as it should. Keeps what it was sent."""

    def __init__(self) -> None:
        self.script: list[Reply] = []
        self.always: Reply | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.running = self.most_running = 0
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.dimensions = 8
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()

    def right(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A right answer, with fields that nobody knows."""
        if path.endswith("/embeddings"):
            return vectors_answer([vector_of(text, self.dimensions) for text in body["input"]])
        return story_answer(STORY)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with service.lock:
                    service.requests.append(body)
                    service.headers.append({name.lower(): value for name, value in self.headers.items()})
                    reply = service.script.pop(0) if service.script else service.always or Reply()
                    service.running += 1
                    service.most_running = max(service.most_running, service.running)
                try:
                    self.answer(reply, body)
                except OSError:
                    pass  # the client has gone, as it should
                finally:
                    with service.lock:
                        service.running -= 1

            def answer(self, reply: Reply, body: dict[str, Any]) -> None:
                service.closed.wait(reply.hang)
                content = reply.body if reply.body is not None else service.right(self.path, body)
                sent = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(sent)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if reply.cut:
                    self.wfile.write(sent[: len(sent) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.close()
                elif reply.drip:
                    for at in range(len(sent)):
                        self.wfile.write(sent[at : at + 1])
                        self.wfile.flush()
                        time.sleep(reply.drip)
                else:
                    self.wfile.write(sent)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def story_answer(story: object, **choice: object) -> dict[str, Any]:
    """What a chat completion looks like around a story, or around a text that should have been one."""
    content = story if isinstance(story, str) or story is None else json.dumps(story)
    message = {"role": "assistant", "content": content, "refusal": None, "unheard_of": [1]}
    return {
        "id": "x",
        "object": "chat.completion",
        "unheard_of": {"of": CANARY},
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 77, "total_tokens": 777},
    }


def vectors_answer(vectors: list[list[float]]) -> dict[str, Any]:
    """What vectors look like, in no order."""
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"object": "list", "data": data[::-1], "note": CANARY, "usage": {"total_tokens": 10 * len(vectors)}}


def vector_of(text: str, dimensions: int) -> list[float]:
    """Different for different lengths of text, and not of length 1."""
    return [float(len(text) % (at + 3)) + 1 for at in range(dimensions)]
