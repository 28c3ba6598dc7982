"""Commands in processes of their own, on the database of the running test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

from vibe.core.db.embedded.server import PORT

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 600
"""Seconds after which something that should have ended is given up. No test fails because a machine is slow."""


def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait for what comes, and give it: with a limit that only a machine at a standstill reaches."""
    given_up = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < given_up, f"not so within {seconds:g} s"
        time.sleep(0.02)
    return found


def url(**changes: Any) -> str:
    """DATABASE_URL of the database of this test, with parts of it changed."""
    parts = {
        "user": "vibe",
        "name": connection.settings_dict["NAME"],
        "host": connection.settings_dict["HOST"],
        "port": connection.settings_dict["PORT"] or PORT,
        **changes,
    }
    return f"postgres://{parts['user']}@/{parts['name']}?host={quote(str(parts['host']), safe='')}&port={parts['port']}"


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `manage.py` with some environment variables changed; an empty one is taken away."""
    changed = {**os.environ, "LOG_LEVEL": "WARNING", **environment}
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        env={name: value for name, value in changed.items() if value},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    process = start(*arguments, **environment)
    output, errors = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
