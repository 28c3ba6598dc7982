"""The body of an MCP request, read whole and bounded before the protocol parses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from vibe.core.http.bodies import BodyTooLarge, json_of_body
from vibe.core.strict_json import check_structure
from vibe.mcp.tools import LONGEST_TEXT

Receive = Callable[[], Awaitable[Any]]
LARGEST: Final = 12 * LONGEST_TEXT + 64 * 1024  # bytes: the longest text, fully escaped, and its envelope
MOST_VALUES: Final = 1_000


async def read(receive: Receive) -> Receive:
    """Read the whole body and return a callable that replays it. Raises BodyTooLarge and MalformedBody."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return _first(message, receive)
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST:
            raise BodyTooLarge(LARGEST)
    with json_of_body():
        check_structure(bytes(body), MOST_VALUES)
    return _first({"type": "http.request", "body": bytes(body), "more_body": False}, receive)


def _first(message: Any, receive: Receive) -> Receive:
    """Return a callable that gives this message first, then those still to be received."""
    waiting = [message]

    async def replay() -> Any:
        return waiting.pop() if waiting else await receive()

    return replay
