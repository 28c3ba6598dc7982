"""Standard error as JSON: what is printed there beside the log, such as why a start is refused, becomes lines of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TextIO


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
