"""Counters shared by all processes of one start: web server processes, the worker, other commands.

prometheus-client keeps each process's values in a file of a common folder. It decides so when it is first imported, so
call `begin` before that. Without it, a process counts for itself alone.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from django.conf import settings

from vibe.core.errors import ConfigurationError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FILE_BYTES = 512 * 1024
"""Some 4,000 time series of one kind in one process."""
ROOM_BYTES = 32 * FILE_BYTES
"""For the files of a few processes."""


def begin() -> Path:
    """Create the folder for this start and its child processes. Remove the folders of earlier starts.

    Raises ConfigurationError if it cannot be made: the state folder is another user's, read-only or full.
    """
    everybody: Path = settings.STATE_DIR / "metrics"
    folder = everybody / str(os.getpid())
    try:
        everybody.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(everybody).free < ROOM_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for left in everybody.iterdir():
            if not runs(left.name):
                shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    except OSError as problem:
        raise ConfigurationError(
            f"The state folder {settings.STATE_DIR} cannot be written to ({problem.strerror}). Run as the user who "
            "owns it, free space there, mount it writable, or set VIBE_STATE_DIR to another folder."
        ) from None
    os.environ[VARIABLE] = str(folder)
    return folder


def reserve_room() -> None:
    """Make each process take disk space for a file of counts when it creates it. Call before any instrument is made.

    The files are mapped to memory, and prometheus-client creates them without taking space. Where the disk fills up
    later, the system ends a process that writes to a page that has none (SIGBUS). With the space taken, processes that
    run go on, and one that starts on a full disk gets an OSError.
    """
    from prometheus_client import values  # noqa: PLC0415  see above
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415

    class ReservedDict(MmapedDict):
        def __init__(self, filename: str, read_mode: bool = False) -> None:
            if not read_mode and not Path(filename).exists():
                reserved = Path(f"{filename}.new")  # not read by MultiProcessCollector
                reserved.write_bytes(bytes(FILE_BYTES))
                reserved.rename(filename)
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    values.MmapedDict = ReservedDict  # type: ignore[attr-defined,misc]


def runs(name: str) -> bool:
    """Return whether the process that a folder is named for is still running."""
    try:
        os.kill(int(name), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def forget(process: int) -> None:
    """Drop the gauges of a process that has ended, and keep its counts."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  see above

    mark_process_dead(process)  # type: ignore[no-untyped-call]
