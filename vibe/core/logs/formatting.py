"""Log lines as text or as JSON, both without content: an error is logged by type and place, without its message.

The message of a driver's or a library's error can quote a value ("Key (email)=(…) already exists"). Those of our own
errors never do, and are kept.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from vibe.core.errors import VibeError

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
