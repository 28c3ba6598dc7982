"""A throw-away database for a measurement: real PostgreSQL in a folder that is gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vibe.core.db.configured import embedded_server


@contextmanager
def throw_away_database() -> Iterator[Path]:
    """Set Django up on a fresh embedded server, migrated. Call before anything of the project is imported."""
    folder = Path(tempfile.mkdtemp(prefix="vibe-bench-"))
    os.environ.pop("DATABASE_URL", None)
    os.environ.update(
        VIBE_STATE_DIR=str(folder), DJANGO_SETTINGS_MODULE="vibe.settings", DEBUG="on", LOG_LEVEL="WARNING"
    )
    os.environ.update(STORAGE_LIMIT_MEMORIES="off", STORAGE_LIMIT_MIB="off")  # one person has what years would bring
    try:
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command
        from django.db import connection

        settings.DEBUG = False  # or Django remembers every statement
        call_command("migrate", verbosity=0)
        try:
            yield folder
        finally:
            connection.close()
            embedded_server().release()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def processor_time() -> float:
    """Seconds of the processor that this process and its PostgreSQL backend have taken: whoever else uses the machine
    makes a measurement by the clock longer, but not this. The backend's, by /proc (proc_pid_stat(5)), in hundredths.
    """
    from django.db import connection

    connection.ensure_connection()
    told = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def show(result: dict[str, Any]) -> None:
    """Print JSON, floats with four digits behind the point."""
    print(json.dumps(rounded(result), indent=2, ensure_ascii=False))


def rounded(value: Any) -> Any:
    """Numbers that can be read."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value
