"""JSON files of any size: read as events by ijson, of which one element at a time is built."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import ijson
from ijson.common import ObjectBuilder

from memories.imports.lines import BadLine
from memories.imports.readers.reading import UnreadableFile

Event = tuple[str, str, Any]  # the prefix, such as "item.title"; the kind; the value

STARTS, ENDS = ("start_map", "start_array"), ("end_map", "end_array")
DEEPEST: Final = 64
EVENT_BYTES: Final = 8  # what an event counts for beside its text


class BrokenJson(Exception):
    """The file ends in the middle, or is not JSON from some place on."""


class QuoteGuard:
    """A stream that refuses to go on where no text begins or ends for too long.

    The parser holds a text whole, however long it is. A quote after a backslash does not count, whichever it is.
    """

    def __init__(self, source: io.BufferedReader, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._run = 0
        self._escapes = False

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        at = chunk.rfind(b'"')
        while at > 0 and chunk[at - 1 : at] == b"\\":
            at = chunk.rfind(b'"', 0, at)
        if at > 0 or (at == 0 and not self._escapes):
            self._run = len(chunk) - at
        else:
            self._run += len(chunk)
        if self._run > self._limit:
            raise BrokenJson(f"holds a text longer than {self._limit:,} bytes (IMPORT_LINE_LIMIT)")
        self._escapes = chunk.endswith(b"\\")
        return chunk


def json_events(source: io.BufferedReader, limit: int) -> Iterator[Event]:
    """Yield the events of a JSON file. Raises BrokenJson, whose text quotes nothing of the file."""
    try:
        yield from ijson.parse(flat(ijson.basic_parse(QuoteGuard(source, limit), use_float=True)))
    except ijson.IncompleteJSONError:
        raise BrokenJson("the file ends here in the middle, or is broken") from None
    except (ijson.JSONError, UnicodeDecodeError, ValueError):
        raise BrokenJson("the file is not JSON from here on") from None


def flat(events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield events. Raises BrokenJson where they nest too deep: a prefix is as long as the nesting."""
    depth = 0
    for kind, value in events:
        depth += (kind in STARTS) - (kind in ENDS)
        if depth > DEEPEST:
            raise BrokenJson(f"nests deeper than {DEEPEST}")
        yield kind, value


def build(events: Iterator[Event], first: Event, limit: int) -> Any:
    """Return the element that begins with `first`; None if it is over the limit, and so never held."""
    builder, depth, size = ObjectBuilder(), 0, 0
    event: Event | None = first
    while event:
        _, kind, value = event
        size += EVENT_BYTES + (len(value) if isinstance(value, str) else 0)
        if size <= limit:
            builder.event(kind, value)
        elif builder:
            builder = None
        depth += (kind in STARTS) - (kind in ENDS)
        event = next(events) if depth else None
    return builder.value if builder else None


def listed(source: io.BufferedReader, limit: int) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Yield the objects of a JSON file that is one list, with their numbers. Raises UnreadableFile for another."""
    events, number = json_events(source, limit), 0
    try:
        if next(events, ("", "", None))[1] != "start_array":
            raise UnreadableFile("The file is not a list of conversations. Look whether it is of this format (--from).")
        for event in events:
            if event[0] != "item":
                continue
            element = build(events, event, limit)
            number += 1
            if element is None:
                yield number, BadLine(number, f"longer than {limit:,} bytes (IMPORT_LINE_LIMIT)", "conversation")
            elif isinstance(element, dict):
                yield number, element
            else:
                yield number, BadLine(number, "not a JSON object", "conversation")
    except BrokenJson as problem:
        if not number:
            raise UnreadableFile(f"Nothing of the file could be read: {problem}.") from None
        yield number + 1, BadLine(number + 1, f"{problem}; nothing from here on was read", "conversation")
