"""ChatGPT's data export: `conversations.json`, a list of conversations.

The messages of a conversation are a tree in `mapping`. What is shown is the path from the root to `current_node`;
answers that were generated again, and messages that were edited, are other branches.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from memories.imports.lines import LONGEST_ID, BadLine, Message
from memories.imports.readers.json_events import listed
from memories.imports.readers.reading import (
    BRANCHES,
    EMPTY,
    HIDDEN,
    REASONING,
    UNKNOWN,
    WITHOUT_TIME,
    Read,
    Reading,
    conversation,
    epoch_time,
    list_in,
    message,
    object_in,
    readable,
)
from memories.roles import Role

AUTHORS: Final = {Role.USER: "User", Role.ASSISTANT: "ChatGPT", Role.SYSTEM: "System", Role.TOOL: "Tool"}
CONTEXT: Final = {"user_editable_context", "model_editable_context"}  # instructions that are sent along
THOUGHTS: Final = {"thoughts", "reasoning_recap"}
UNIT: Final = "conversation"


def read_chatgpt(source: io.BufferedReader, reading: Reading) -> Read:
    """Yield a line for each conversation."""
    for number, given in listed(source, reading.limit):
        if isinstance(given, BadLine):
            yield given
            continue
        external_id = given.get("conversation_id") or given.get("id")
        nodes = given.get("mapping")
        if not isinstance(nodes, dict) or not isinstance(external_id, str) or not 0 < len(external_id) <= LONGEST_ID:
            yield BadLine(number, "has no mapping or no conversation_id", UNIT)
            continue
        began = epoch_time(given.get("create_time"))
        said = list(_messages(reading, nodes, given.get("current_node"), began))
        if not said:
            reading.passed_over[EMPTY] += 1
            continue
        yield conversation(
            reading,
            number=number,
            unit=UNIT,
            external_id=external_id,
            title=given.get("title"),
            messages=said,
            started_at=began,
        )


def _messages(reading: Reading, nodes: dict[str, Any], current: Any, began: datetime | None) -> Iterator[Message]:
    """Yield what is shown of a conversation. A message without a time has that of the one before it."""
    given = {name: said for name, node in nodes.items() if (said := object_in(node, "message"))}
    shown = [name for name in _path(nodes, current) if name in given]
    reading.passed_over[BRANCHES] += len(given) - len(shown)
    times = [epoch_time(given[name].get("create_time")) for name in shown]
    time = began or next(filter(None, times), None)
    for name, at in zip(shown, times, strict=True):
        time = at or time
        if len(name) > LONGEST_ID or name != readable(name) or not name:
            reading.passed_over[UNKNOWN] += 1
        elif made := _message(reading, name, given[name], time):
            yield made


def _path(nodes: dict[str, Any], current: Any) -> list[str]:
    """Return the ids of the nodes from the root to the current one, or to the latest leaf where none is named."""
    if not isinstance(nodes.get(current) if isinstance(current, str) else None, dict):
        parents = {node.get("parent") for node in nodes.values() if isinstance(node, dict)}
        leaves = [name for name, node in nodes.items() if isinstance(node, dict) and name not in parents]
        current = max(leaves, key=lambda name: _created(nodes[name]), default=None)
    path: dict[str, None] = {}
    while isinstance(current, str) and current not in path and isinstance(nodes.get(current), dict):
        path[current] = None
        current = nodes[current].get("parent")
    return list(path)[::-1]


def _created(node: dict[str, Any]) -> float:
    time = epoch_time(object_in(node, "message").get("create_time"))
    return time.timestamp() if time else 0.0


def _message(reading: Reading, name: str, given: dict[str, Any], time: datetime | None) -> Message | None:
    """Return a message, or None for one that is passed over, which is counted."""
    content, notes = object_in(given, "content"), object_in(given, "metadata")
    kind = content.get("content_type")
    if kind in THOUGHTS:
        reading.passed_over[REASONING] += 1
        return None
    if kind in CONTEXT or notes.get("is_visually_hidden_from_conversation") is True:
        reading.passed_over[HIDDEN] += 1
        return None
    text, pictures = _said(content)
    names = [str(each.get("name") or "file") for each in list_in(notes, "attachments") if isinstance(each, dict)]
    author, role = _author(given)
    payload = reading.payload(author, text, names or pictures)
    if payload and time is None:
        reading.passed_over[WITHOUT_TIME] += 1
    return message(name, payload, time, role) if payload and time else None


def _said(content: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the text of a message's content, and the kinds of its other parts."""
    texts, others = [content.get("text"), content.get("result")], []
    for part in list_in(content, "parts"):
        spoken = part.get("text") if isinstance(part, dict) else part
        if isinstance(spoken, str):
            texts.append(spoken)
        elif isinstance(part, dict):
            others.append(str(part.get("content_type") or "file").removesuffix("_asset_pointer"))
    return "\n".join(each for each in texts if isinstance(each, str) and each.strip()), others


def _author(given: dict[str, Any]) -> tuple[str, Role]:
    """Return the author's name and role. What an assistant sends to a tool is the tool's."""
    author, recipient = object_in(given, "author"), given.get("recipient")
    said = author.get("role")
    role = Role(said) if isinstance(said, str) and said in Role else Role.OTHER
    if role == Role.ASSISTANT and isinstance(recipient, str) and recipient not in ("", "all"):
        return recipient, Role.TOOL
    name = author.get("name")
    return (name if isinstance(name, str) and name else AUTHORS.get(role, "Unknown")), role
