"""Figures of the database and this machine, read on request. Each is a function that returns (labels, value) pairs;
`doctor` uses the same ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from vibe.core.db.job_classes.classes import IMPORTS, WAITED
from vibe.core.db.job_classes.reporting import read_states
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_system

Figures = list[tuple[tuple[str, ...], float]]

REPLICATION = """
SELECT coalesce(nullif(application_name, ''), 'unnamed'), coalesce(extract(epoch FROM replay_lag), 0),
       coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
                                     ELSE pg_current_wal_lsn() END, replay_lsn), 0)
FROM pg_stat_replication
"""
CONNECTIONS = """
SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
"""
LONGEST = """
SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
UNINDEXED = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE NOT bulk)), 0),
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE bulk)), 0)
FROM pending_memories WHERE user_id NOT IN (SELECT id FROM users WHERE restricted_at IS NOT NULL)
"""
RESTRICTED = "SELECT count(*) FROM users WHERE restricted_at IS NOT NULL"
LAST_DONE = """
SELECT greatest(extract(epoch FROM now() - at), 0) FROM audit_logs
WHERE actor = %s AND action = %s AND outcome = 'ok' ORDER BY at DESC, id DESC LIMIT 1
"""
JOBS = "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
# The sealer's snapshot shows which transactions it has processed: anything later is not sealed yet. A forged row, which
# stays unsealed for good, is reported by verify_audit.
UNSEALED = """
SELECT coalesce(greatest(extract(epoch FROM now() - min(r.at)), 0), 0), count(*) FROM audit_logs r
WHERE r.at > now() - interval '7 days'
  AND NOT EXISTS (SELECT FROM audit_leaves l WHERE l.row_id = r.id AND l.row_at = r.at)
  AND r.xact >= (SELECT coalesce(min(split_part(snapshot, ':', 1)::bigint + shift), 0)
                 FROM audit_sealer WHERE snapshot <> '')
"""


def rows(query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query that reads no personal rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def jobs() -> Figures:
    """Return the number of jobs by queue and state."""
    with as_system():
        return [((queue, state), count) for queue, state, count in rows(JOBS)]


def workers() -> Figures:
    """Return the number of running workers by queue; 0 for a class of work that has none."""
    with as_system():
        return [((state.name,), state.workers) for state in read_states()]


def worker_slots() -> Figures:
    """Return how many jobs the running workers do at once, by queue."""
    with as_system():
        return [((state.name,), state.slots) for state in read_states()]


def heartbeats() -> Figures:
    """Return seconds since the last heartbeat of a worker, by queue; nothing for one that has none."""
    with as_system():
        states = read_states()
    return [((state.name,), state.heartbeat_age) for state in states if state.heartbeat_age is not None]


def queue_latency() -> Figures:
    """Return the age in seconds of the oldest job that is due, by queue; 0 if none is."""
    with as_system():
        return [((state.name,), state.waits or 0.0) for state in read_states()]


def unindexed() -> Figures:
    """Return the age in seconds of the oldest memory that is not fully in the index, by queue; 0 if there is none."""
    with as_system():
        [(added, imported)] = rows(UNINDEXED)
    return [((WAITED,), float(added)), ((IMPORTS,), float(imported))]


def restricted() -> Figures:
    """Return the number of people whose processing is restricted."""
    with as_system():
        return [((), float(rows(RESTRICTED)[0][0]))]


def last_failures() -> Figures:
    """Return when the last failure of each queue was, in seconds since 1970, with its task and code."""
    with as_system():
        states = read_states()
    return [
        ((state.name, state.failed_task or "", state.failure or ""), state.failed_at.timestamp())
        for state in states
        if state.failed_at
    ]


def unsealed() -> tuple[float, int]:
    """Return the age in seconds of the oldest unsealed row of the audit log, and the number of such rows."""
    with as_system():
        [(age, count)] = rows(UNSEALED)
    return float(age), count


def audit_lag() -> Figures:
    return [((), unsealed()[0])]


def unsealed_rows() -> Figures:
    return [((), unsealed()[1])]


def backup_age() -> Figures:
    """Return seconds since the last backup that was taken, as this database's audit log has it; nothing if none was."""
    return last_done("backup", "backup.take")


def drill_age() -> Figures:
    """Return seconds since the last drill that passed, likewise."""
    return last_done("restore", "backup.drill")


def last_done(actor: str, action: str) -> Figures:
    """Return seconds since an actor of the system did something successfully, nothing if it never did."""
    with as_system():
        return [((), float(age)) for (age,) in rows(LAST_DONE, [actor, action])]


def database_size() -> Figures:
    return [((), rows("SELECT pg_database_size(current_database())")[0][0])]


def connections() -> Figures:
    """Return connections by state, such as active, idle, idle in transaction."""
    return [((state,), count) for state, count in rows(CONNECTIONS)]


def most_connections() -> Figures:
    return [((), float(rows("SELECT current_setting('max_connections')::int")[0][0]))]


def longest_transaction() -> Figures:
    return [((), float(rows(LONGEST)[0][0]))]


def replication_seconds() -> Figures:
    return [((name,), float(seconds)) for name, seconds, _ in rows(REPLICATION)]


def replication_bytes() -> Figures:
    return [((name,), float(behind)) for name, _, behind in rows(REPLICATION)]


def replica_usable() -> Figures:
    """Return 1 or 0, or nothing if no replica is configured."""
    if not replica.is_configured():
        return []
    try:
        standing = replica.compare_positions()
    except DatabaseError:
        return [((), 0)]
    return [((), float(standing.replays and standing.same))]


def replica_behind_bytes() -> Figures:
    return [((), replica.compare_positions().behind)] if replica.is_configured() else []


def replica_behind_seconds() -> Figures:
    return [((), replica.compare_positions().seconds)] if replica.is_configured() else []


def disk() -> Iterator[tuple[str, Any]]:
    """Yield (place, total/used/free in bytes) of the folders we write to."""
    folder = settings.STATE_DIR
    while not folder.exists():
        folder = folder.parent
    yield "state", shutil.disk_usage(folder)


def disk_free() -> Figures:
    return [((place,), usage.free) for place, usage in disk()]


def disk_size() -> Figures:
    return [((place,), usage.total) for place, usage in disk()]
