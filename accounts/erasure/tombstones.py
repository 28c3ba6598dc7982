"""The list of erased people, outside the database, because a restored backup does not contain later erasures.

Each line is a signed statement, stored before the first key is destroyed: in a file, synced to disk, or as an object of
its own where there is a bucket, which cannot append. Keep the list with the audit log's checkpoints, and not inside the
backups. A file that is there is read beside a bucket, so that nobody is forgotten who was erased before there was one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.erasure.receipts import Statement, signature_holds
from vibe.core.db.schema.owned import uuid7
from vibe.core.errors import VibeError
from vibe.core.file_storage import Files, files, problems_named, write_all

OBJECT: Final = ".json"
OBJECTS: Final = 100_000  # kept in memory: two an erasure, some 300 bytes each


class TombstoneBroken(VibeError):
    message = "A line of the file of erasures is none that this service signed."
    code = "tombstone-broken"


def add_tombstone(statement: Statement) -> None:
    """Store a signed statement for good. Raises FilesUnavailable."""
    line = json.dumps(statement, sort_keys=True).encode() + b"\n"
    if settings.OBJECT_STORAGE:
        bucket().write(f"{uuid7()}{OBJECT}", [line])
        return
    path = Path(settings.ERASURES_FILE)
    with problems_named(path, "ERASURES_FILE"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            whole = file.seek(0, os.SEEK_END) == 0 or last_byte(descriptor) == b"\n"
            write_all(file, (b"" if whole else b"\n") + line)
            os.fsync(descriptor)


def bucket() -> Files:
    """Return the objects of the list."""
    return files("erasures", "ERASURES_FILE")


def last_byte(descriptor: int) -> bytes:
    """Return the last byte of a file: no newline if a crash cut the line off."""
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1)


def read_tombstones() -> Iterator[Statement]:
    """Yield every statement of the list, in order. Skip half a line that a crash left.

    Raises FilesUnavailable; TombstoneBroken, with its place, for a whole one not signed here: it must not cause an
    erasure.
    """
    for place, line in lines():
        statement = parse_line(line)
        if statement is None:
            continue
        if not signature_holds(statement):
            raise TombstoneBroken(
                f"{place} was not signed by a key of this service. "
                "Restore it, or name the key that signed it in AUDIT_PUBLIC_KEYS_RETIRED."
            )
        yield statement


def lines() -> Iterator[tuple[str, str]]:
    """Yield each line with its place: of the file, then of the bucket."""
    path = Path(settings.ERASURES_FILE)
    if path.exists():
        with problems_named(path, "ERASURES_FILE"), path.open(encoding="utf-8", errors="replace") as file:
            yield from ((f"Line {number} of ERASURES_FILE", line) for number, line in enumerate(file, start=1))
    if settings.OBJECT_STORAGE:
        for name in sorted(bucket().sizes()):
            yield f"The object erasures/{name} of OBJECT_STORAGE", object_line(settings.OBJECT_STORAGE, name)


@lru_cache(maxsize=OBJECTS)
def object_line(_storage: str, name: str) -> str:
    """Read an object. It never changes, and probes ask for the whole list."""
    with bucket().read(name) as source:
        return source.read().decode(errors="replace")


def parse_line(line: str) -> Statement | None:
    """Parse a line as a statement; None if it is incomplete."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def erased_people() -> set[UUID]:
    """Return everybody whose erasure has begun, according to the file."""
    return {UUID(statement["person"]) for statement in read_tombstones()}
