"""Claude's data export: `conversations.json`, a list of conversations with their `chat_messages`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from memories.imports.lines import LONGEST_ID, BadLine, Message
from memories.imports.readers.json_events import listed
from memories.imports.readers.reading import (
    EMPTY,
    REASONING,
    UNKNOWN,
    WITHOUT_TIME,
    Read,
    Reading,
    conversation,
    iso_time,
    list_in,
    message,
    readable,
    zoned,
)
from memories.roles import Role

SENDERS: Final = {"human": ("User", Role.USER), "assistant": ("Claude", Role.ASSISTANT)}
UNIT: Final = "conversation"


def read_claude(source: io.BufferedReader, reading: Reading) -> Read:
    """Yield a line for each conversation."""
    for number, given in listed(source, reading.limit):
        if isinstance(given, BadLine):
            yield given
            continue
        external_id = given.get("uuid")
        if not isinstance(given.get("chat_messages"), list) or not is_id(external_id):
            yield BadLine(number, "has no chat_messages or no uuid", UNIT)
            continue
        said = list(_messages(reading, given))
        if not said:
            reading.passed_over[EMPTY] += 1
            continue
        yield conversation(
            reading,
            number=number,
            unit=UNIT,
            external_id=str(external_id),
            title=given.get("name"),
            messages=said,
            started_at=zoned(iso_time(given.get("created_at")), None),
        )


def _messages(reading: Reading, given: dict[str, Any]) -> Iterator[Message]:
    time = zoned(iso_time(given.get("created_at")), None)
    seen: set[str] = set()
    for each in list_in(given, "chat_messages"):
        name = each.get("uuid") if isinstance(each, dict) else None
        if not isinstance(name, str) or not is_id(name) or name in seen:
            reading.passed_over[UNKNOWN] += 1
            continue
        seen.add(name)
        time = zoned(iso_time(each.get("created_at")), None) or time
        author, role = SENDERS.get(str(each.get("sender")), ("Unknown", Role.OTHER))
        names = [
            part.get("file_name")
            for part in (*list_in(each, "attachments"), *list_in(each, "files"))
            if isinstance(part, dict)
        ]
        payload = reading.payload(author, _text(reading, each), [str(one or "file") for one in names])
        if payload and time is None:
            reading.passed_over[WITHOUT_TIME] += 1
        elif payload and time:
            yield message(name, payload, time, role)


def _text(reading: Reading, given: dict[str, Any]) -> str:
    """Return the text of a message: that of its parts where it has any. Calls of tools and reasoning are left out."""
    texts = []
    for part in list_in(given, "content"):
        spoken = part.get("text") if isinstance(part, dict) and part.get("type") in ("text", "voice_note") else None
        if isinstance(spoken, str):
            texts.append(spoken)
        else:
            reading.passed_over[REASONING] += 1
    whole = "\n\n".join(each for each in texts if each.strip())
    return whole or ("" if given.get("content") else str(given.get("text") or ""))


def is_id(value: object) -> bool:
    """Return whether a value may be the id of a message or conversation."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and readable(value) == value
