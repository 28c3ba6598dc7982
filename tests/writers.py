"""People who add memories through the API without pause, each thing until it is acknowledged, and what they saw."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

from tests.processes import PATIENCE

PAUSE_SECONDS = 0.1
LONG_CONVERSATION = 400  # memories; then the next one is begun
LARGEST_PAGE = 100


class Refusal(RuntimeError):
    """An answer of 400 or more."""

    def __init__(self, status: int, kind: str, retry_after: str, body: bytes) -> None:
        super().__init__(f"answered {status}")
        self.status, self.kind, self.retry_after, self.body = status, kind, retry_after, body


@dataclass
class Written:
    """What one person's client saw."""

    acknowledged: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    untyped: set[str] = field(default_factory=set)  # answers of 400 and more that are no problem document
    refusals: set[str] = field(default_factory=set)  # what was said there
    slowest: float = 0.0


class Writer(threading.Thread):
    """Adds memories to conversations until told to stop: one a request, or as many as one of `sizes`.

    Each request has a connection and an Idempotency-Key of its own; one that fails is sent again with the same key.
    """

    def __init__(
        self,
        number: int,
        port: int,
        token: str,
        over: threading.Event,
        *,
        sizes: Sequence[int] = (1,),
        about: str = "Memory",
    ) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.token, self.over, self.sizes, self.about = number, port, token, over, sizes, about
        self.chance, self.key = Random(number), uuid4().hex
        self.written = Written()
        self.paths: list[str] = []

    def run(self) -> None:
        numbers = itertools.count()
        while not self.over.is_set():
            size = self.chance.choice(self.sizes)
            self.write([f"{self.about} {count} of {self.number}." for count in itertools.islice(numbers, size)])
            time.sleep(PAUSE_SECONDS)

    def write(self, texts: Sequence[str]) -> None:
        """Add these to the conversation, until that is acknowledged."""
        if len(self.written.acknowledged) >= LONG_CONVERSATION * len(self.paths):
            made = self.insist("/api/v1/conversations", {"title": "Written"}, f"{self.key} {len(self.paths)}")
            self.paths.append(f"/api/v1/conversations/{made['id']}/memories")
        memories = [{"author": "Ada", "text": text} for text in texts]
        key = f"{self.key} {len(self.written.acknowledged)} memories"
        if len(texts) == 1:
            self.insist(self.paths[-1], memories[0], key)
        else:
            self.insist(f"{self.paths[-1]}/batch", {"memories": memories}, key)
        self.written.acknowledged += texts

    def insist(self, path: str, body: Any, key: str) -> Any:
        """Send it until it is done."""
        start = time.monotonic()
        while True:
            try:
                done = self.send("POST", path, body, key)
                break
            except Refusal as refusal:
                self.written.failed[str(refusal)] += 1
                self.written.refusals.add(refusal.body.decode())
                if refusal.kind != "application/problem+json":
                    self.written.untyped.add(f"{refusal.status} {refusal.kind}")
            except (OSError, http.client.HTTPException) as problem:
                self.written.failed[type(problem).__name__] += 1
            time.sleep(PAUSE_SECONDS)
        self.written.slowest = max(self.written.slowest, time.monotonic() - start)
        return done

    def texts(self) -> Counter[str]:
        """What is there, through the API."""
        return Counter(each["text"] for path in self.paths for each in self.items(path))

    def items(self, path: str) -> Iterator[Any]:
        """Everything of a list."""
        cursor = ""
        while cursor is not None:
            page = self.read(f"{path}?limit={LARGEST_PAGE}" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["items"]
            cursor = page["next"]

    def read(self, path: str) -> Any:
        """What is there, once the database is: it may be coming back. Raises Refusal, or what the connection raises."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.send("GET", path)
            except Refusal as refusal:
                if refusal.status != 503 or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE_SECONDS)

    def send(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """One request on a connection of its own. Raises Refusal, or what the connection raises."""
        headers = {"Authorization": f"Bearer {self.token}", "Connection": "close", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            asked.request(method, path, body=body and json.dumps(body), headers=headers)
            answer = asked.getresponse()
            told = answer.read()
            if answer.status >= 400:
                kind, retry_after = answer.headers.get_content_type(), answer.headers.get("Retry-After", "")
                raise Refusal(answer.status, kind, retry_after, told)
            return json.loads(told)
        finally:
            asked.close()


@dataclass(frozen=True)
class Kept:
    """How what was acknowledged compares with what is there."""

    acknowledged: int
    lost: int
    doubled: int
    failed: Counter[str]
    untyped: set[str]
    slowest: float


def compare(writers: Sequence[Writer]) -> Kept:
    """Read everything back. Raises Refusal for what does not open."""
    written, found = [each.written for each in writers], [each.texts() for each in writers]
    return Kept(
        acknowledged=sum(len(each.acknowledged) for each in written),
        lost=sum(text not in there for each, there in zip(written, found, strict=True) for text in each.acknowledged),
        doubled=sum(count > 1 for there in found for count in there.values()),
        failed=sum((each.failed for each in written), Counter()),
        untyped=set().union(*(each.untyped for each in written)),
        slowest=max(each.slowest for each in written),
    )
