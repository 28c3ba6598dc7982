"""The file of erased people, outside the database, because a restored backup does not contain later erasures.

Each line is a signed statement, synced to disk before the first key is destroyed. Keep the file with the audit log's
checkpoints, and not inside the backups.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings

from accounts.erasure.receipts import Statement, signature_holds
from vibe.core.errors import VibeError


class TombstoneBroken(VibeError):
    message = "A line of the file of erasures is none that this service signed."
    code = "tombstone-broken"


def add_tombstone(statement: Statement) -> None:
    """Append a signed statement, and sync it to disk."""
    path = Path(settings.ERASURES_FILE)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        whole = file.seek(0, os.SEEK_END) == 0 or last_byte(descriptor) == b"\n"
        file.write((b"" if whole else b"\n") + json.dumps(statement, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(descriptor)


def last_byte(descriptor: int) -> bytes:
    """Return the last byte of a file: no newline if a crash cut the line off."""
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1)


def read_tombstones() -> Iterator[Statement]:
    """Yield every statement of the file, in order. Skip half a line that a crash left.

    Raises TombstoneBroken, with the line number, for a whole one not signed here: it must not cause an erasure.
    """
    path = Path(settings.ERASURES_FILE)
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            statement = parse_line(line)
            if statement is None:
                continue
            if not signature_holds(statement):
                raise TombstoneBroken(
                    f"Line {number} of ERASURES_FILE was not signed by a key of this service. "
                    "Restore the file, or name the key that signed it in AUDIT_PUBLIC_KEYS_RETIRED."
                )
            yield statement


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
