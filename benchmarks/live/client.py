"""One person's side of the API, over a connection that is kept, as a companion's server has it."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

KEPT_SECONDS = 1.0
"""A connection that was idle for longer may have been closed by the server."""
TIMEOUT = 120
PAGE = 100


class Client:
    """Acts for one person by an API key. Not for several threads at once."""

    def __init__(self, port: int, key: str, person: str) -> None:
        self.port, self.key, self.person = port, key, person
        self.connection: http.client.HTTPConnection | None = None
        self.used = 0.0

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of an answer. Raises RuntimeError for a refusal, OSError or HTTPException for a lost connection."""
        status, text = self.ask(method, path, body, headers)
        if status >= 400:
            raise RuntimeError(f"{method} {path.partition('?')[0]} answered {status}: {text[:300].decode()}")
        return json.loads(text) if text else None

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", **headers}
        if self.person:
            headers |= {"Authorization": f"Bearer {self.key}", "Vibe-Person": self.person}
        if self.connection is None or time.monotonic() - self.used > KEPT_SECONDS:
            self.close()
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        self.used = time.monotonic()
        return answer.status, text

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None

    def read_text(self, path: str, token: str) -> str:
        return self.ask("GET", path, None, {"Authorization": f"Bearer {token}"})[1].decode()

    # What a companion does

    def conversation(self, external_id: str) -> str:
        """The id of the person's conversation that was imported under a name."""
        for item in self.pages("/api/v1/conversations"):
            if item["external_id"] == external_id:
                return str(item["id"])
        raise LookupError(external_id)

    def add(self, conversation: str, text: str, author: str = "Ada", at: str | None = None) -> str:
        """Say something: the memory's id."""
        said = {"author": author, "text": text} | ({"occurred_at": at} if at else {})
        return str(self.send("POST", f"/api/v1/conversations/{conversation}/memories", said)["id"])

    def search(self, question: str, limit: int, *, memories: bool) -> list[str]:
        """Ids of the memories that a search finds, best first.

        Where memories cannot be searched themselves: the passages of the stories found, by their scores.
        """
        return [str(each["id"]) for each in self.found(question, limit, memories=memories)]

    def found(self, question: str, limit: int, *, memories: bool) -> list[dict[str, Any]]:
        """What a search finds: `id` and, where the server tells, `message_ids`."""
        if memories:
            return list(self.send("POST", "/api/v1/memories/search", {"question": question, "limit": limit})["items"])
        stories = self.send("POST", "/api/v1/stories/search", {"question": question, "limit": min(limit, 10)})["items"]
        passages = [each for story in stories for each in story["passages"] if each["memory_id"]]
        passages.sort(key=lambda each: -each["score"])
        return [{**each, "id": each["memory_id"]} for each in passages[:limit]]

    def stories(self) -> list[dict[str, Any]]:
        return list(self.pages("/api/v1/stories"))

    def pages(self, path: str) -> Any:
        cursor = ""
        while cursor is not None:
            page = self.send("GET", f"{path}?limit={PAGE}" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["items"]
            cursor = page["next"]
