"""WhatsApp's exported chat: a text file, of one chat, as Android and iOS write it.

    12/05/2026, 09:30 - Ada: I moved to Lisbon.
    [12.05.26, 09:30:15] Ada: I moved to Lisbon.

Neither day and month nor the time zone are told by a line. The order is that of the first date that can be read in one
way only; the zone is given. Messages have no ids, so one is named by its local time, which its row tells anyway, and
its place within that: a later export of the same chat names it alike.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final

from memories.imports.lines import BadLine, ConversationLine, Message, read_lines
from memories.imports.readers.reading import (
    EMPTY,
    MESSAGES_A_LINE,
    SERVICE,
    DateOrder,
    Read,
    Reading,
    UnreadableFile,
    conversation,
    message,
    zoned,
)
from memories.roles import Role

MARKS: Final = "\u200e\u200f\u202a\u202c\ufeff"  # of direction: iOS puts one before what it says itself
HEAD: Final = re.compile(
    r"\[?(\d{1,4})[./-](\d{1,2})[./-](\d{1,4}),?\s(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?"
    r"(?:\s?([AaPp])\.?\s?[Mm]\.?)?(?:\]|\s-)\s"
)
EDITED: Final = re.compile(r"\s?\u200e?<This message was edited>$")
# What stands for a file: "<Media omitted>", "IMG-20260512-WA0001.jpg (file attached)", "<attached: 0001-PHOTO.jpg>".
PLACEHOLDER: Final = re.compile(r"<[^<>\n]{1,80}>$")
FILE: Final = re.compile(
    r"([^\n]{1,200}) \(file attached\)(?:\n|$)|"
    r"((?:AUD|DOC|IMG|PTT|STK|VID)-\d{8}-WA\d{1,9}\.\w{1,5}) \([^()\n]{1,80}\)(?:\n|$)"
)
ATTACHED: Final = re.compile(r"\u200e<[^<>\n:]{1,40}: ([^<>\n]{1,200})>")
OMITTED: Final = re.compile(r"\u200e\w[\w ]{1,40} omitted$")
DELETED: Final = {"This message was deleted", "You deleted this message"}
HALF_DAY, LAST_MONTH, LAST_DAY, CENTURY = 12, 12, 31, 100
UNDECIDED: Final = 4_000_000  # bytes within which a date must tell the order
UNIT: Final = "line"


@dataclass(slots=True)
class Entry:
    """One entry of the chat: a line with a date, and the lines after it without one."""

    number: int
    date: tuple[str | None, ...]
    texts: list[str] = field(repr=False)


def read_whatsapp(source: io.BufferedReader, reading: Reading) -> Read:
    """Yield lines of one conversation, of some hundred messages each."""
    if reading.zone is None:
        raise UnreadableFile("WhatsApp's times have no zone. Say it (--time-zone, such as Europe/Lisbon).")
    lines = read_lines(source, reading.limit)
    head, order = _order(lines, reading.dates)
    said: list[Message] = []
    first, external_id, counted = 0, reading.conversation, Counter[datetime]()
    for entry in _entries(chain(head, lines)):
        if isinstance(entry, BadLine):
            yield entry
            continue
        made = _message(entry, order, reading, counted)
        if isinstance(made, BadLine):
            yield made
        elif made:
            first = first if said else entry.number
            external_id = external_id or f"whatsapp-{made.id.partition('/')[0]}"
            said.append(made)
        if len(said) >= MESSAGES_A_LINE:
            yield _part(said, first, external_id or "", reading)
            said = []
    if said:
        yield _part(said, first, external_id or "", reading)
    elif external_id is None:
        reading.passed_over[EMPTY] += 1


def _part(said: list[Message], first: int, external_id: str, reading: Reading) -> ConversationLine:
    return conversation(reading, number=first, unit=UNIT, external_id=external_id, title=None, messages=said)


def _order(
    lines: Iterator[tuple[int, bytes | BadLine]], given: DateOrder | None
) -> tuple[list[tuple[int, bytes | BadLine]], DateOrder]:
    """Return the lines read to find out the order of dates, and the order. Raises UnreadableFile."""
    read: list[tuple[int, bytes | BadLine]] = []
    size, dated = 0, False
    while given is None and size < UNDECIDED:
        number, line = next(lines, (0, b""))
        if not number:
            break
        read.append((number, line))
        size += 0 if isinstance(line, BadLine) else len(line)
        found = None if isinstance(line, BadLine) else HEAD.match(line.decode(errors="replace").lstrip(MARKS))
        dated = dated or bool(found)
        given = _told(found) if found else None
    if given is None and dated:
        raise UnreadableFile("No date in the file tells whether days or months come first. Say it (--dates).")
    if given is None:
        raise UnreadableFile("The file holds no line as WhatsApp writes them: a date, a time and a name.")
    return read, given


def _told(found: re.Match[str]) -> DateOrder | None:
    """Return the order that a date tells; None if it may be read in two ways."""
    first, second = int(found[1]), int(found[2])
    if first > LAST_DAY:
        return "year-first"
    if first > LAST_MONTH:
        return "day-first"
    return "month-first" if second > LAST_MONTH else None


def _entries(lines: Iterable[tuple[int, bytes | BadLine]]) -> Iterator[Entry | BadLine]:
    """Yield the entries of a chat, each with all its lines; blank ones between them are kept."""
    entry: Entry | None = None
    last = 0
    for number, line in lines:
        if isinstance(line, BadLine):
            yield line
            continue
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError as problem:
            yield BadLine(number, f"not UTF-8 (at byte {problem.start})")
            continue
        found = HEAD.match(text.lstrip(MARKS))
        if found:
            if entry:
                yield entry
            entry = Entry(number, found.groups(), [text.lstrip(MARKS)[found.end() :]])
        elif entry:
            entry.texts.append("\n" * (number - last - 1) + text)
        else:
            yield BadLine(number, "comes before the first line with a date")
        last = number
    if entry:
        yield entry


def _message(entry: Entry, order: DateOrder, reading: Reading, counted: Counter[datetime]) -> Message | BadLine | None:
    """Return a message; None for what is passed over, which is counted."""
    local = _local_time(entry.date, order)
    time = zoned(local, reading.zone)
    if local is None or time is None:
        return BadLine(entry.number, "its date is none in the order of the others (--dates)")
    counted[local] += 1
    author, colon, text = "\n".join(entry.texts).partition(": ")
    author, text = author.strip(MARKS), EDITED.sub("", text)
    said, attached = _said(text)
    is_service = text.startswith("\u200e") and not attached
    if not colon or "\n" in author or is_service or text.strip(MARKS).rstrip(".") in DELETED:
        reading.passed_over[SERVICE] += 1
        return None
    payload = reading.payload(author, said, attached, time)
    role = None if not reading.me else Role.USER if author == reading.me else Role.OTHER
    return message(f"{local.isoformat()}/{counted[local]}", payload, time, role) if payload else None


def _said(text: str) -> tuple[str, list[str]]:
    """Return a text without what stands in it for files, and their names or kinds."""
    if found := ATTACHED.search(text):
        return text[: found.start()] + text[found.end() :], [found[1]]
    if OMITTED.match(text):
        return "", [text.strip(MARKS).removesuffix(" omitted")]
    bare = text.strip(MARKS)
    if PLACEHOLDER.match(bare):
        return "", ["media"]
    if found := FILE.match(bare):
        return bare[found.end() :], [found[1] or found[2]]
    return text, []


def _local_time(date: tuple[str | None, ...], order: DateOrder) -> datetime | None:
    """Return the time that a line begins with; None if there is no such time."""
    parts = [int(each or 0) for each in date[:6]]
    half = (date[6] or "").lower()
    a, b, c, hour, minute, second = parts
    year, month, day = {"year-first": (a, b, c), "day-first": (c, b, a), "month-first": (c, a, b)}[order]
    if half:
        hour = hour % HALF_DAY + (HALF_DAY if half == "p" else 0)
    try:
        return datetime(year + 2000 if year < CENTURY else year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
