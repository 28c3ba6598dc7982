"""What a service that tells stories is sent, against what was said: a fake one that counts.

Tokens are words and signs here, for what is sent and what is said alike; so what counts is the ratio. A message every
0.2 seconds, and one every 90 seconds. The second is compressed: where the minute of quiet after which a story is due is
a setting, it and the pace are both divided by COMPRESSED; where each message is told at once, the next is said when the
work of the one before is done, for which 90 seconds leave room. Where there is a minute of quiet and no setting for it,
the 90 seconds are waited, for fewer messages.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any

from benchmarks.live.options import Options, bar
from benchmarks.live.running import Cluster, Running, running
from benchmarks.live.texts import conversation, said

QUICK, SLOW, COMPRESSED, QUIET = 0.2, 90.0, 30.0, 60.0
REAL_TIME_MESSAGES = 20
TOKEN = re.compile(r"\w+|[^\w\s]")


def tokens(text: str) -> int:
    return len(TOKEN.findall(text))


class Service(ThreadingHTTPServer):
    """Answers every question for a text with the least that its schema allows, and counts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.lock, self.calls, self.sent, self.schemas, self.answered = threading.Lock(), 0, 0, 0, 0

    def counts(self) -> tuple[int, int, int, int]:
        with self.lock:
            return self.calls, self.sent, self.schemas, self.answered


class Answering(BaseHTTPRequestHandler):
    """POST /v1/chat/completions."""

    server: Service
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
        text = json.dumps(least(schema))
        contents = (each["content"] for each in asked["messages"])
        prompt = sum(tokens(each if isinstance(each, str) else json.dumps(each)) for each in contents)
        shape = tokens(json.dumps(schema))
        with self.server.lock:
            self.server.calls += 1
            self.server.sent += prompt
            self.server.schemas += shape
            self.server.answered += tokens(text)
        used = {"prompt_tokens": prompt, "completion_tokens": tokens(text), "total_tokens": prompt + tokens(text)}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        body = json.dumps({"object": "chat.completion", "model": "fake", "choices": [choice], "usage": used}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def least(schema: dict[str, Any]) -> Any:
    """The least that a JSON schema allows, texts being a few words."""
    kind = schema.get("type", "object")
    if "enum" in schema:
        return schema["enum"][0]
    if isinstance(kind, list):
        return None if "null" in kind else least({**schema, "type": kind[0]})
    if kind == "object":
        return {name: least(each) for name, each in schema.get("properties", {}).items()}
    return {"array": [], "integer": 1, "number": 0, "boolean": False, "null": None}.get(kind, "They talked about it.")


@contextmanager
def service() -> Iterator[Service]:
    made = Service()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with service() as fake:
        configured = {
            "STORY_PROCESSOR": "openai",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{fake.server_address[1]}/v1",
            "OPENAI_TEXT_MODEL": "fake",
            "OPENAI_DAILY_TOKENS": "0",
        }
        with running(cluster, **configured) as side:
            result["every_0.2_s"] = paced(side, fake, options, person="quick", pace=QUICK, count=options.said)
            name = side.setting("QUIET")
            if name:
                side.restart(**{name: f"{QUIET / COMPRESSED:g}"})
                how, pace, count = f"{name} and the pace are divided by {COMPRESSED:g}", SLOW / COMPRESSED, options.said
            elif side.finds_memories and not options.short:
                how, pace, count = "in real time", SLOW, min(options.said, REAL_TIME_MESSAGES)
            else:
                how, pace, count = "the next is said when the work of the one before is done", 0.0, options.said
            result["every_90_s"] = {"how": how, **paced(side, fake, options, person="slow", pace=pace, count=count)}
    return result


def paced(side: Running, fake: Service, options: Options, *, person: str, pace: float, count: int) -> dict[str, Any]:
    """So many messages at a pace, or without one each when the work of the one before is done."""
    source = said(options.data)
    [first, *texts] = islice(source, count + 1)
    side.bring(conversation(person, "c", [first]))
    side.settle()
    client, before = side.client(person), fake.counts()
    where = client.conversation("c")
    for author, text in bar(texts, f"{person} messages"):
        start = time.monotonic()
        client.add(where, text, author=author)
        if not pace:
            side.drain(60)
        time.sleep(max(0.0, pace - (time.monotonic() - start)))
    side.settle()
    calls, sent, schemas, answered = (now - then for now, then in zip(fake.counts(), before, strict=True))
    spoken = sum(tokens(text) for _, text in texts)
    return {
        "messages": count,
        "calls": calls,
        "tokens_said": spoken,
        "tokens_sent": sent + schemas,
        "tokens_of_schemas": schemas,
        "tokens_answered": answered,
        "sent_for_each_said": (sent + schemas) / spoken,
        "sent_for_each_said_without_schemas": sent / spoken,
    }
