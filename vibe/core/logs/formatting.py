"""Log lines as text or as JSON, both without content, and standard error as JSON.

An error is logged by type and place, without its message: that of a driver's or a library's error can quote a value
("Key (email)=(…) already exists"). Those of our own errors never do, and are kept. What libraries log of a request is
scrubbed: a URL or a host name can be content. Nothing is lost: each request has a line of its own (`vibe.requests`), by
the name of its route. What is printed beside the log, such as why a start is refused, becomes lines of it.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from vibe.core.errors import VibeError
from vibe.core.logs.request_id import request_id

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
KEPT = frozenset(
    {"at", "level", "logger", "message", "request_id", "exception", "method", "route", "status", "milliseconds"}
)


class WithoutContent(logging.Formatter):
    """A formatter that writes exceptions by type and place."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler may have cached the whole traceback there
        return super().format(record)

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802
        return "\n".join(exception_lines(ei[1])) if ei[1] else ""


class Text(WithoutContent):
    """A log line for people."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}{tail}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        known = getattr(record, "request_id", "")
        record.tail = f" [{known}]" if known else ""
        return super().format(record)


class Json(WithoutContent, JsonFormatter):
    """A JSON object a line, with these names only: what libraries attach to a record is left out."""

    def __init__(self) -> None:
        names = {"asctime": "at", "levelname": "level", "name": "logger", "exc_info": "exception"}
        JsonFormatter.__init__(
            self,
            "{asctime}{levelname}{name}{message}{request_id}",
            style="{",
            rename_fields=names,
            defaults={"request_id": ""},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in log_data.items() if name in KEPT and value not in ("", None)}


def exception_lines(problem: BaseException) -> Iterator[str]:
    """Yield the lines of an exception and its causes, the latest first."""
    seen: set[int] = set()
    current: BaseException | None = problem
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        words = f": {current}" if isinstance(current, VibeError) else ""
        yield f"{type(current).__module__}.{type(current).__qualname__}{words}"
        for frame in traceback.extract_tb(current.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


class Scrubbed(logging.Filter):
    """A filter that adds the request id to a record and removes what a client chose."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id()
        told = scrubbed_message(record)
        if told:
            record.msg, record.args = told, ()
        return True


def scrubbed_message(record: logging.LogRecord) -> str:
    """Return the message to log instead; empty for one that can be logged as it is."""
    if record.name in ("django.request", "django.server"):
        return f"Answered {getattr(record, 'status_code', '')} at {route_name(getattr(record, 'request', None))}"
    if record.name.startswith(("django.security", "django.template")):
        return f"Refused or not found: {record.name.rpartition('.')[2]}"
    if record.name.startswith("gunicorn") and "request" in str(record.msg).lower():
        return "A request could not be handled."
    return ""


def route_name(request: object) -> str:
    """Return the name of the route of a request; never its path."""
    match = getattr(request, "resolver_match", None)
    return str(match.view_name) if match else "no route"


class JsonLines:
    """A stream that passes JSON objects on as they are, and makes one of each other line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the whole lines, and hold what follows until its line ends."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            self._stream.write(f"{line if is_object(line) else as_object(line)}\n")
        return len(text)

    def flush(self) -> None:
        """Write what was begun as a line, too: whoever flushes wants it seen."""
        if self._rest:
            self.write("\n")
        self._stream.flush()


def is_object(line: str) -> bool:
    """Return whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def as_object(line: str) -> str:
    """Return a line as an object with the names that the log has."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
    return json.dumps({"at": at, "level": "INFO", "logger": "stderr", "message": line})
