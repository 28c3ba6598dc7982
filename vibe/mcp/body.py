"""The body of an MCP request, read whole and bounded before the protocol parses it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp.types import jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json

from vibe.core.errors import InputError
from vibe.core.http.bodies import BodyTooLarge, json_of_body
from vibe.core.strict_json import check_structure
from vibe.mcp.tools import LONGEST_TEXT

Receive = Callable[[], Awaitable[Any]]
LARGEST: Final = 12 * LONGEST_TEXT + 64 * 1024  # bytes: the longest text, fully escaped, and its envelope
MOST_VALUES: Final = 1_000
SECONDS: Final = 30


class NotAMessage(InputError):
    message = "The body is no message of JSON-RPC 2.0. Send one request or notification, with its method and params."
    code = "malformed-body"


class TooSlow(InputError):
    message = f"The body took longer than {SECONDS} seconds. Send it again."
    code = "body-too-slow"
    status = 408


async def read(receive: Receive) -> Receive | None:
    """Read the whole body and return a callable that replays it, or None once the client is gone. Raises InputError.

    The protocol would say back what a body that is no message holds.
    """
    try:
        async with asyncio.timeout(SECONDS):
            body = await _whole(receive)
    except TimeoutError:
        raise TooSlow() from None
    if body is None:
        return None
    with json_of_body():
        check_structure(body, MOST_VALUES)
    try:
        jsonrpc_message_adapter.validate_python(from_json(body), by_name=False)
    except ValidationError:
        raise NotAMessage() from None
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return waiting.pop() if waiting else await receive()

    return replay


async def _whole(receive: Receive) -> bytes | None:
    """Return all bytes, or None once the client is gone. Raises BodyTooLarge."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST:
            raise BodyTooLarge(LARGEST)
    return bytes(body)
