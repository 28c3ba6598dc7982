"""The format of this project and of its exports: JSON Lines. See docs/import.md."""

from __future__ import annotations

import io

from memories.imports.lines import BadLine, NamesAnother, parse, read_lines
from memories.imports.readers.reading import Read, Reading


def read_jsonl(source: io.BufferedReader, reading: Reading) -> Read:
    """Yield what the lines hold."""
    for number, line in read_lines(source, reading.limit):
        try:
            yield line if isinstance(line, BadLine) else parse(number, line, reading.owner)
        except NamesAnother:
            raise
        except BadLine as problem:
            yield problem


def require_owner(source: io.BufferedReader, reading: Reading) -> None:
    """Raise NamesAnother if a line is of somebody else than the owner. Nothing of such a file is taken."""
    for _ in read_jsonl(source, reading):
        pass
