"""Disk space: used by the database, used by its log, and left."""

from __future__ import annotations

import shutil
from pathlib import Path

from vibe.core.db.configured import embedded_server
from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking, monitor_grant_sql
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Disk"
ABOUT = "A full disk stops the server. Before four fifths are used: make room, or give it a larger one."
SIZES = """
    SELECT pg_database_size(current_database()), temp_files, temp_bytes,
        pg_has_role(current_user, 'pg_monitor', 'USAGE')
    FROM pg_stat_database WHERE datname = current_database()
"""
LOG = "SELECT sum(size) FROM pg_ls_waldir()"


def disk() -> Looking:
    """Return the chapter on the disk."""
    [[sizes]] = yield [(SIZES, ())]
    database, files, spilt, allowed = sizes
    [[[log]]] = (yield [(LOG, ())]) if allowed else [[[None]]]
    embedded = embedded_server()
    return Chapter(
        TITLE,
        ABOUT,
        (
            Reading("Database", units.size(database), number=float(database)),
            write_ahead_log(log),
            Reading(
                "Spilt to disk", f"{units.size(spilt)} in {files:,} files since statistics began", number=float(spilt)
            ),
            room(embedded.data if embedded else None),
        ),
    )


def write_ahead_log(size: int | None) -> Reading:
    """Return the size of the write-ahead log."""
    name = "Write-ahead log"
    if size is None:
        return Reading(name, "may not be looked at", Verdict.UNKNOWN, monitor_grant_sql())
    return Reading(name, units.size(size), number=float(size))


def room(data: Path | None) -> Reading:
    """Return the space left, if the server's disk is this machine's."""
    if data is None:
        advice = "SQL does not tell. On the server: df -h, and an alarm at 80 %."
        return Reading("Room left", "cannot be seen from here", Verdict.UNKNOWN, advice)
    whole, used, free = shutil.disk_usage(data)
    verdict = verdict_of(used / whole, watch=0.8, bad=0.9)
    advice = f"Make room on the disk of {data}." if verdict else ""
    return Reading("Room left", f"{units.size(free)} of {units.size(whole)}", verdict, advice, float(free))
