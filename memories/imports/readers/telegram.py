"""Telegram Desktop's export as JSON: `result.json`, of one chat or of the whole account.

A chat is yielded in parts, so it may be larger than memory. Neither the numbers of chats nor names go into ids, which
are stored in clear: a conversation is named by the time and number of its first message.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from memories.imports.lines import BadLine, ConversationLine, Message
from memories.imports.readers.json_events import BrokenJson, Event, build, json_events
from memories.imports.readers.reading import (
    CHANNEL,
    EMPTY,
    MESSAGES_A_LINE,
    SERVICE,
    TOO_LONG,
    UNKNOWN,
    WITHOUT_TIME,
    Read,
    Reading,
    UnreadableFile,
    conversation,
    epoch_time,
    iso_time,
    list_in,
    message,
    readable,
    zoned,
)
from memories.roles import Role

UNIT: Final = "chat"
CHATS: Final = ("", "chats.list.item.", "left_chats.list.item.")
HEADS: Final = {f"{chat}{name}": name for chat in CHATS for name in ("name", "type", "id")}
LISTS: Final = {f"{chat}messages" for chat in CHATS}
OWN_ID: Final = "personal_information.user_id"
BETWEEN_TWO: Final = ("personal_chat", "bot_chat")
ATTACHED: Final = ("photo", "file", "contact_information", "location_information", "poll", "game_title", "story_id")
LARGEST_ID: Final = 2**63
FARTHEST: Final = timedelta(hours=14)


@dataclass(slots=True)
class Chat:
    """The chat that is being read."""

    number: int
    kind: str = ""
    name: str = field(default="", repr=False)
    external_id: str = ""
    messages: list[Message] = field(default_factory=list, repr=False)
    parts: int = 0


def read_telegram(source: io.BufferedReader, reading: Reading) -> Read:
    """Yield lines for each chat, of some hundred messages each."""
    events, number, own_id = json_events(source, reading.limit), 0, ""
    head: dict[str, Any] = {}
    try:
        for event in events:
            prefix, kind, value = event
            if prefix == OWN_ID:
                own_id = f"user{value}"
            elif prefix in HEADS:
                head[HEADS[prefix]] = value
            elif prefix in LISTS and kind == "start_array":
                number += 1
                chat = Chat(number, str(head.get("type") or ""), readable(head.get("name")))
                yield from _chat(events, prefix, chat, own_id, reading)
                head = {}
    except BrokenJson as problem:
        if not number:
            raise UnreadableFile(f"Nothing of the file could be read: {problem}.") from None
        yield BadLine(number, f"{problem}; nothing from here on was read", UNIT)
    else:
        if not number:
            raise UnreadableFile("The file holds no chats. Look whether it is Telegram's result.json.")


def _chat(events: Iterator[Event], prefix: str, chat: Chat, own_id: str, reading: Reading) -> Read:
    """Yield a chat in parts; what was read of one that breaks off too."""
    broken = None
    try:
        while (event := next(events))[:2] != (prefix, "end_array"):
            given = build(events, event, reading.limit)
            if made := _message(given, chat, own_id, reading):
                chat.messages.append(made)
            if len(chat.messages) >= MESSAGES_A_LINE:
                yield _part(chat, reading)
    except BrokenJson as problem:
        broken = problem
    if chat.messages:
        yield _part(chat, reading)
    if broken:
        raise broken
    if not chat.parts:
        reading.passed_over[EMPTY] += 1


def _part(chat: Chat, reading: Reading) -> ConversationLine:
    """Return the messages read so far as a line, and forget them."""
    said, chat.messages = chat.messages, []
    first = said[0]
    chat.external_id = chat.external_id or f"telegram-{int(first.sent_at.timestamp())}-{first.id}"
    chat.parts += 1
    return conversation(
        reading, number=chat.number, unit=UNIT, external_id=chat.external_id, title=chat.name, messages=said
    )


def _message(given: Any, chat: Chat, own_id: str, reading: Reading) -> Message | None:
    """Return a message, or None for one that is passed over, which is counted."""
    passed_over = _reason(given, chat)
    time = _time(given, reading) if passed_over is None else None
    if passed_over or time is None:
        reading.passed_over[passed_over or WITHOUT_TIME] += 1
        return None
    author = readable(given.get("from")) or "Deleted account"
    forwarded = bool(given.get("forwarded_from"))
    payload = reading.payload(author, _text(given), _attached(given), time)
    role = Role.OTHER if forwarded else _role(author, given.get("from_id"), chat, own_id, reading)
    return message(str(given["id"]), payload, time, role) if payload else None


def _reason(given: Any, chat: Chat) -> str | None:
    """Return why an entry is passed over; None for a message."""
    if given is None:
        return TOO_LONG
    if chat.kind.endswith("channel"):
        return CHANNEL
    if not isinstance(given, dict) or not isinstance(given.get("id"), int) or not 0 <= given["id"] < LARGEST_ID:
        return UNKNOWN
    return None if given.get("type") == "message" else SERVICE


def _role(author: str, from_id: object, chat: Chat, own_id: str, reading: Reading) -> Role | None:
    """Return the role of an author; None where neither the file nor the person's own name says it."""
    if reading.me:
        return Role.USER if author == reading.me else _other(chat)
    if own_id:
        return Role.USER if from_id == own_id else _other(chat)
    if chat.kind == "saved_messages":
        return Role.USER
    if chat.kind in BETWEEN_TWO and chat.name:
        return _other(chat) if author == chat.name else Role.USER
    return None


def _other(chat: Chat) -> Role:
    return Role.ASSISTANT if chat.kind == "bot_chat" else Role.OTHER


def _text(given: dict[str, Any]) -> str:
    """Return a text, which is a list of texts and formatted pieces where anything in it is formatted."""
    text = given.get("text")
    if isinstance(text, str):
        return text
    pieces = (each.get("text") if isinstance(each, dict) else each for each in list_in(given, "text"))
    return "".join(each for each in pieces if isinstance(each, str))


def _attached(given: dict[str, Any]) -> list[str]:
    """Return what is attached to a message: its file's name where it has one, otherwise its kind."""
    kinds = [kind for kind in ATTACHED if given.get(kind)]
    name = given.get("file_name") or given.get("media_type")
    return [str(name) if kind == "file" and name else kind for kind in kinds]


def _time(given: dict[str, Any], reading: Reading) -> datetime | None:
    """Return when a message was sent, at the offset that the export was made in."""
    local, utc = iso_time(given.get("date")), epoch_time(given.get("date_unixtime"))
    if utc is None:
        return zoned(local, reading.zone)
    if local is None or local.tzinfo:
        return utc
    offset = local.replace(tzinfo=UTC) - utc
    return utc.astimezone(timezone(offset)) if abs(offset) <= FARTHEST else utc
