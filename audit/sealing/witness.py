"""Checkpoints outside the database, out of reach of somebody with rights over the database alone.

They go either to a local file, one line a checkpoint, synced to disk after each append, or to the log stream. Only
they show that the end of the audit log was cut off.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from audit.proof.checkpoint import SignedCheckpoint

LOG_STREAM = "-"  # the value of AUDIT_CHECKPOINT_FILE that means the log stream
NEWEST = 1000  # checkpoints that a proof reads: the newest one covers all before it
BLOCK = 65_536  # bytes

log = logging.getLogger("audit.checkpoints")


class CheckpointFile:
    """An append-only file of lines. A partial last line left by a crash is cut off before the next append."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint, None if there is none. Raises CheckpointMalformed."""
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            return newest_checkpoint(file)

    def append(self, chain: Iterable[SignedCheckpoint]) -> int:
        """Append the checkpoints that are missing, given in order, and sync. Return how many were written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            drop_partial_line(file)
            there = newest_checkpoint(file)
            number = there.checkpoint.number if there else 0
            lines = [signed.to_line() + "\n" for signed in chain if signed.checkpoint.number > number]
            file.seek(0, os.SEEK_END)
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
        return len(lines)


def newest_checkpoint(file: IO[bytes]) -> SignedCheckpoint | None:
    """Return the checkpoint on the last whole line, None if there is none."""
    file.seek(max(file.seek(0, os.SEEK_END) - BLOCK, 0))
    whole, _, _ = file.read().rpartition(b"\n")
    line = whole.rpartition(b"\n")[2]
    return SignedCheckpoint.from_line(line.decode(errors="replace")) if line else None


def drop_partial_line(file: IO[bytes]) -> None:
    """Truncate the file after the last line feed."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - BLOCK, 0))
    unfinished = len(file.read().rpartition(b"\n")[2])
    if unfinished:
        file.truncate(end - unfinished)


def read_witnesses(path: Path) -> list[SignedCheckpoint]:
    """Read the newest checkpoints from a file that the sealer wrote, or from a log.

    Raises CheckpointMalformed for a whole line that is neither, OSError if the file cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [SignedCheckpoint.from_line(line) for line in deque(checkpoint_lines(lines), maxlen=NEWEST)]


def checkpoint_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield each whole line from its first brace on, which skips a log's own prefix."""
    for line in lines:
        if line.endswith("\n") and "{" in line:
            yield line[line.index("{") :]


def write_to_log(chain: Iterable[SignedCheckpoint]) -> None:
    """Log each checkpoint on one line."""
    for signed in chain:
        log.info("%s", signed.to_line())


def configured_file(setting: Any) -> CheckpointFile | None:
    """Return the checkpoint file, None if the setting names the log stream."""
    return None if setting == LOG_STREAM else CheckpointFile(Path(setting).expanduser())
