"""What every reader of a file is given, counts and yields. A reader of a format is a module beside this one."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal

from django.conf import settings

from accounts.people.services.people import Profile
from memories.imports.lines import (
    BYTE_ORDER_MARK,
    EARLIEST,
    LATEST,
    LONGEST_ID,
    LONGEST_TEXT,
    LONGEST_TITLE,
    ArchiveLine,
    BadLine,
    ConversationLine,
    Message,
)
from memories.payload import Payload, offset_of
from memories.roles import Role
from vibe.core.errors import InputError

DateOrder = Literal["day-first", "month-first", "year-first"]

MESSAGES_A_LINE: Final = 500
"""A long chat is yielded in parts of so many messages."""
LONGEST_NAMES: Final = 500  # characters of the names of attachments
SIGNATURES: Final = {
    b"PK\x03\x04": "is a zip archive. Unpack it, and give the file with the conversations",
    b"PK\x05\x06": "is an empty zip archive. Export again",
    b"\x1f\x8b": "is compressed with gzip. Unpack it first",
    b"<": "is HTML or XML. Export in the format that docs/import.md names",
    b"%PDF": "is a PDF. Export in the format that docs/import.md names",
}

# Kinds of what is passed over, as they are reported.
ATTACHMENTS, WITHOUT_TEXT = "attachments", "messages without a text"
SERVICE, BRANCHES, HIDDEN = "service messages", "messages of other branches", "hidden messages"
REASONING, TOO_LONG, WITHOUT_TIME = (
    "reasoning and calls of tools",
    "messages that are too long",
    "messages without a time",
)
EMPTY, CHANNEL, UNKNOWN = "conversations without messages", "messages of channels", "entries of an unknown form"


class UnreadableFile(InputError):
    message = "The file cannot be read in this format."
    code = "unreadable-file"


@dataclass(slots=True)
class Reading:
    """How a file is to be read, and what was passed over, by kind."""

    owner: Profile | None = field(default=None, repr=False)
    """Whose everything in the file is; None where the file says it."""
    me: str = field(default="", repr=False)
    """The person's own name in the file."""
    zone: tzinfo | None = None
    """Of times that the file gives without one."""
    dates: DateOrder | None = None
    conversation: str | None = None
    """The id of the conversation, of a file that holds one without an id."""
    limit: int = field(default_factory=lambda: int(settings.IMPORT_LINE_LIMIT))
    """Bytes of one line or conversation."""
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def profile(self) -> Profile:
        """Return the owner. Raises UnreadableFile where none was named."""
        if self.owner is None:
            raise UnreadableFile("This format does not say whose the conversations are. Name the person (--for).")
        return self.owner

    def payload(self, author: str, text: str, names: Iterable[str] = (), at: datetime | None = None) -> Payload | None:
        """Return what is sealed of a message; None for one without a text, or too long, which is counted.

        Attachments are passed over, and their names noted with the text they came with.
        """
        attached = [name for each in names if (name := readable(each))]
        self.passed_over[ATTACHMENTS] += len(attached)
        said = readable(text)
        if not said or len(said) > LONGEST_TEXT:
            self.passed_over[TOO_LONG if said else WITHOUT_TEXT] += 1
            return None
        noted = {"attachments": ", ".join(attached)[:LONGEST_NAMES]} if attached else {}
        return Payload(readable(author)[:LONGEST_ID] or "Unknown", said, dict(noted), offset_of(at) if at else None)


Read = Iterator[ConversationLine | ArchiveLine | BadLine]
Reader = Callable[[io.BufferedReader, Reading], Read]


def readable(text: object) -> str:
    """Return a text without what cannot be stored: NUL, halves of surrogate pairs, space around it."""
    if not isinstance(text, str):
        return ""
    return text.replace("\0", "").encode(errors="ignore").decode().strip()


def object_in(parent: Any, name: str) -> dict[str, Any]:
    """Return a member of an object if it is an object, otherwise an empty one."""
    value = parent.get(name) if isinstance(parent, dict) else None
    return value if isinstance(value, dict) else {}


def list_in(parent: Any, name: str) -> list[Any]:
    """Return a member of an object if it is a list, otherwise an empty one."""
    value = parent.get(name) if isinstance(parent, dict) else None
    return value if isinstance(value, list) else []


def check_signature(source: io.BufferedReader) -> None:
    """Raise UnreadableFile for a file of another kind, and pass over a byte order mark."""
    head = source.peek(len(BYTE_ORDER_MARK))
    if head.startswith(BYTE_ORDER_MARK):
        source.read(len(BYTE_ORDER_MARK))
        head = source.peek(1)
    for signature, said in SIGNATURES.items():
        if head.lstrip().startswith(signature):
            raise UnreadableFile(f"The file {said}.")


def epoch_time(value: Any) -> datetime | None:
    """Return the time of seconds since 1970, given as a number or a text; None for what is none."""
    try:
        time = datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return time if EARLIEST <= time < LATEST else None


def iso_time(value: Any) -> datetime | None:
    """Return an ISO 8601 time as given; None for what is none."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def zoned(time: datetime | None, zone: tzinfo | None) -> datetime | None:
    """Return a time with its zone, by default this one; None without either, or if it is not from 1900 to 2200."""
    if time is None or (time.tzinfo is None and zone is None):
        return None
    aware = time if time.tzinfo else time.replace(tzinfo=zone)
    try:
        return aware if EARLIEST <= aware.astimezone(UTC) < LATEST else None
    except OverflowError:
        return None


def conversation(
    reading: Reading,
    *,
    number: int,
    unit: str,
    external_id: str,
    title: object,
    messages: Sequence[Message],
    started_at: datetime | None = None,
) -> ConversationLine:
    """Return messages of a conversation of another program. What is here already stays as it is."""
    return ConversationLine(
        number=number,
        profile=reading.profile,
        external_id=external_id,
        title=readable(title)[:LONGEST_TITLE] or None,
        description=None,
        started_at=min([*([started_at] if started_at else []), *(message.sent_at for message in messages)]),
        messages=tuple(messages),
        unit=unit,
        keeps_existing=True,
    )


def message(message_id: str, payload: Payload, sent_at: datetime, role: Role | None) -> Message:
    """Return a message at a time in UTC."""
    return Message(message_id, payload, sent_at.astimezone(UTC), role=role)
