"""A companion that remembers: it asks Vibe what to know, answers by any OpenAI-compatible service, and adds both turns.

docs/context.md explains it. It needs nothing but Python.
"""

import json
import os
import sys
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

PROMPT = "You are Nova, a warm companion who remembers. Answer briefly, and use what you know only where it helps."


def call(method: str, url: str, key: str, body: dict[str, Any], **headers: str) -> Any:
    """Send JSON and return the JSON that comes back. Raises HTTPError for an answer of 400 or more."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    if not url.startswith(("http://", "https://")):
        raise ValueError("The address of a service begins with http:// or https://.")
    with urlopen(Request(url, json.dumps(body).encode(), headers, method=method), timeout=60) as answer:  # noqa: S310
        return json.load(answer)


@dataclass(frozen=True, kw_only=True)
class Companion:
    """Talks with one person in one conversation, named by an id of the application."""

    vibe: str
    token: str
    service: str
    key: str
    model: str
    conversation: str

    def answer(self, message: str) -> str:
        """Return the answer to a message, when both are remembered."""
        begun = self.ask_vibe("PUT", f"/conversations/by-external-id/{self.conversation}", {})
        known = self.ask_vibe("POST", "/context", {"conversation_id": begun["id"], "message": message})
        said = {"role": "user", "content": message}
        chat = [{"role": "system", "content": PROMPT}, *known["messages"], said]
        asked = {"model": self.model, "messages": chat}
        reply: str = call("POST", f"{self.service}/chat/completions", self.key, asked)["choices"][0]["message"][
            "content"
        ]
        turns = [
            {"author": "user", "role": "user", "text": message},
            {"author": "Nova", "role": "assistant", "text": reply},
        ]
        once = {"Idempotency-Key": str(uuid.uuid4())}
        self.ask_vibe("POST", f"/conversations/{begun['id']}/memories/batch", {"memories": turns}, **once)
        return reply

    def ask_vibe(self, method: str, path: str, body: dict[str, Any], **headers: str) -> Any:
        return call(method, self.vibe + path, self.token, body, **headers)


def talk(companion: Companion, lines: Iterable[str]) -> Iterator[str]:
    """Answer what is said, line by line."""
    return (companion.answer(line.strip()) for line in lines if line.strip())


def main() -> None:
    get = os.environ.get
    companion = Companion(
        vibe=get("VIBE_URL", "http://127.0.0.1:8000/api/v1"),
        token=os.environ["VIBE_TOKEN"],
        service=get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        key=get("OPENAI_API_KEY", ""),
        model=get("OPENAI_TEXT_MODEL", "gpt-4o-mini"),
        conversation=get("CONVERSATION", "with-nova"),
    )
    for reply in talk(companion, sys.stdin):
        print(f"Nova: {reply}", flush=True)


if __name__ == "__main__":
    main()
