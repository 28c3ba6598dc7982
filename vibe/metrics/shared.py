"""Counters shared by all processes of one start: web server processes, the worker, other commands.

prometheus-client keeps each process's values in a file of a common folder. It decides so when it is first imported, so
call `begin` before that. Without it, a process counts for itself alone.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.conf import settings

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def begin() -> Path:
    """Create the folder for this start and its child processes. Remove the folders of earlier starts."""
    everybody: Path = settings.STATE_DIR / "metrics"
    everybody.mkdir(parents=True, exist_ok=True)
    for left in everybody.iterdir():
        if not runs(left.name):
            shutil.rmtree(left, ignore_errors=True)
    folder = everybody / str(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.environ[VARIABLE] = str(folder)
    return folder


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
