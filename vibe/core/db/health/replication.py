"""Replicas: how far behind they are, and how much log is kept for those that are gone."""

from __future__ import annotations

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking, monitor_grant_sql
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Replication"
ABOUT = (
    "How far each replica is behind. A lag that grows means that it is too slow or cut off; a slot that nobody reads "
    "keeps the write-ahead log until the disk is full: drop it."
)
SELF = "SELECT pg_is_in_recovery(), extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float"
REPLICAS = """
    SELECT coalesce(nullif(application_name, ''), 'replica'), state, extract(epoch FROM replay_lag)::float,
        pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float
    FROM pg_stat_replication ORDER BY 1
"""
SLOTS = """
    SELECT slot_name, active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float FROM pg_replication_slots
    WHERE NOT active ORDER BY 1
"""
MEGABYTE = 1024 * 1024


def replication() -> Looking:
    """Return the chapter on replication, of a primary or of a replica."""
    [[itself]] = yield [(SELF, ())]
    is_replica, behind = itself
    if is_replica:
        return Chapter(TITLE, ABOUT, (lag("This server, a replica", "replaying", behind or 0.0, None),))
    replicas, slots = yield [(REPLICAS, ()), (SLOTS, ())]
    found = (*(lag(*row) for row in replicas), *(slot(*row) for row in slots))
    return Chapter(TITLE, ABOUT, found, "There is no replica, and no slot for one.")


def lag(name: str, state: str | None, seconds: float | None, bytes_behind: float | None) -> Reading:
    """Return how far behind one replica is."""
    late = seconds or 0.0
    behind = f", {units.size(bytes_behind)}" if bytes_behind is not None else ""
    if state is None:  # without the right to look, only the existence of a replica is visible
        return Reading(name, "its state may not be looked at", Verdict.UNKNOWN, monitor_grant_sql())
    verdict = verdict_of(late, watch=30, bad=5 * units.MINUTE)
    advice = "Look at its log, its disk and the network between." if verdict else ""
    return Reading(name, f"{state}, {units.time(late)} behind{behind}", verdict, advice, late)


def slot(name: str, _active: bool, kept: float | None) -> Reading:
    """Return how much log an unused slot keeps."""
    size = kept or 0.0
    verdict = verdict_of(size, watch=100 * MEGABYTE, bad=10_000 * MEGABYTE)
    advice = f"If its replica does not come back: SELECT pg_drop_replication_slot('{name}');"
    return Reading(name, f"nobody reads this slot; {units.size(size)} of log are kept for it", verdict, advice, size)
