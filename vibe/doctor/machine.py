"""Checks of this machine: free disk space, and a private state folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.conf import settings

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
