"""The whole report on the health of the database, and of the jobs."""

from __future__ import annotations

from vibe.core.db.health import cache, connections, disk, indexes, jobs, locks, replication, statements, tables
from vibe.core.db.health.observing import Probe, run_probes
from vibe.core.db.health.reading import Chapter

PROBES: tuple[tuple[str, Probe], ...] = (
    (connections.TITLE, connections.connections),
    (locks.TITLE, locks.locks),
    (statements.TITLE, statements.slowest),
    (cache.TITLE, cache.cache),
    (indexes.TITLE, indexes.indexes),
    (tables.TITLE, tables.tables),
    (disk.TITLE, disk.disk),
    (replication.TITLE, replication.replication),
)


def report() -> list[Chapter]:
    """Run the probes of the database. Writes nothing, needs no scope and leaves that of the caller as it was."""
    return run_probes(PROBES)


def report_with_jobs() -> list[Chapter]:
    """Do as `report` does, with the classes of work before the database. `doctor` has checks of its own for those."""
    return run_probes([(jobs.TITLE, jobs.jobs), *PROBES])
