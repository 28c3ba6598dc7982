"""Checks of this machine: free disk space, a private state folder, and where files are stored."""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.conf import settings

from accounts.erasure.tombstones import lines
from accounts.export.files import stored as exports
from memories.imports.uploads import stored as imports
from vibe.core.file_storage import Files, FilesUnavailable
from vibe.doctor.findings import Finding, error, warning
from vibe.metrics import figures

LOW, EMPTY = 0.15, 0.05  # of the disk
ENOUGH_BYTES = 20 * 1024**3  # regardless of the share of the disk


def disk() -> Iterator[Finding]:
    for place, usage in figures.disk():
        left = usage.free / usage.total
        if left >= LOW or usage.free > ENOUGH_BYTES:
            continue
        found = error if left < EMPTY else warning
        yield found(
            f"{left:.0%} of the disk of the {place} folder is free ({usage.free / 1024**3:.1f} GB).",
            why="A full disk stops checkpoints of the trail and, where it is the database's too, every write.",
            do=f"df -h {settings.STATE_DIR}; free space or enlarge the disk",
        )


def state_folder() -> Iterator[Finding]:
    """Check that no other user can list the state folder, and that we can write to it."""
    folder = settings.STATE_DIR
    if folder.exists() and folder.stat().st_mode & 0o044:
        yield warning(
            f"Other users of this machine can list {folder}.",
            why="Development keys and the trail's checkpoints lie there.",
            do=f"chmod go-r {folder}",
        )
    if folder.exists() and not os.access(folder, os.W_OK):
        yield error(
            f"{folder} cannot be written to by this user.",
            why="The trail's checkpoints are written there.",
            do="Run as the user who owns it, or set VIBE_STATE_DIR to another folder",
        )


def file_storage() -> Iterator[Finding]:
    """Check that files of exports and imports can be written, read and removed, and the list of erasures read."""
    problems = {}
    for check in (lambda: try_out(exports()), lambda: try_out(imports()), lambda: sum(1 for _ in lines())):
        try:
            check()
        except FilesUnavailable as problem:
            problems[problem.reason] = problem
    for reason, found in problems.items():
        yield error(
            reason.removesuffix(found.helps).strip(),
            why="Nobody can export or import, and erasures wait: the list comes before the first key is destroyed.",
            do=found.helps,
        )


def try_out(files: Files) -> None:
    """Write a file, read it, and remove it."""
    name = f"probe-{os.getpid()}"
    files.write(name, [b"probe"])
    with files.read(name) as source:
        source.read()
    files.remove(name)
