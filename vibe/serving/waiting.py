"""Waiting for the database, which a machine that starts whole may start after us."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import OperationalError, connection

ASK_EVERY_SECONDS = 0.5


def wait_for_database(*, seconds: float, say: Callable[[str], None]) -> None:
    """Return when the database answers. Each new reason why it does not is said once; the last one is raised."""
    said = ""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.ensure_connection()
            return
        except OperationalError as problem:
            if time.monotonic() >= deadline:
                raise
            if said != (said := str(problem)):
                say(f"Waiting up to {seconds:g} s for the database. {said}")
        time.sleep(ASK_EVERY_SECONDS)
