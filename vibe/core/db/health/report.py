"""Everything that can be said of the database's health, in the order in which one would ask."""

from __future__ import annotations

from vibe.core.db.health import cache, connections, disk, indexes, locks, replication, statements, tables
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
    """Look at all of it. Writes nothing, needs no scope and leaves that of the caller as it was."""
    return run_probes(PROBES)
