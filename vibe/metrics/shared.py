"""Counters that all processes of one start add up: web server processes, the worker, commands beside them.

prometheus-client keeps each process's values in a file of a common folder, and chooses so when it is first imported:
`begin` comes before that. Without it a process counts for itself alone.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.conf import settings

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def begin() -> Path:
    """A fresh folder for this start and the processes it will start; what earlier starts left is removed."""
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
    """Whether the process that a folder is named for is there still."""
    try:
        os.kill(int(name), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def forget(process: int) -> None:
    """A process has ended: its counts stay, its gauges go."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  see above

    mark_process_dead(process)  # type: ignore[no-untyped-call]
