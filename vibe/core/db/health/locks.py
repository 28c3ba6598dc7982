"""Processes that wait for locks of others. Statements are not shown: here they would contain their values."""

from __future__ import annotations

from typing import Any

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking, monitor_grant_sql
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Locks"
ABOUT = (
    "Who waits for a lock, and who holds it. Waiting for a moment is normal; when it lasts, end the one that holds it."
)
ALLOWED = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
WAITING = """
    SELECT waits.pid, holder.pid, holder.state, extract(epoch FROM clock_timestamp() - wanted.waitstart)::float,
        coalesce(wanted.relation::regclass::text, wanted.locktype), wanted.mode,
        extract(epoch FROM clock_timestamp() - holder.xact_start)::float
    FROM pg_locks wanted JOIN pg_stat_activity waits ON waits.pid = wanted.pid
    CROSS JOIN LATERAL unnest(pg_blocking_pids(waits.pid)) AS blocker(pid)
    LEFT JOIN pg_stat_activity holder ON holder.pid = blocker.pid
    WHERE NOT wanted.granted ORDER BY 4 DESC NULLS LAST LIMIT %s
"""
SHOWN = 20


def locks() -> Looking:
    """Return the chapter on locks."""
    [[allowed]], waiting = yield [(ALLOWED, ()), (WAITING, [SHOWN])]
    if not allowed:
        advice = monitor_grant_sql()
        unseen = Reading("Locks", "may not be looked at", Verdict.UNKNOWN, advice)
        return Chapter(TITLE, ABOUT, (unseen,))
    return Chapter(TITLE, ABOUT, tuple(wait(row) for row in waiting), "Nobody waits for anybody.")


def wait(row: tuple[Any, ...]) -> Reading:
    """Return one process that waits for another, from a row of WAITING."""
    pid, holder, state, waited, what, mode, open_for = row
    seconds = waited or 0.0
    told = f"{state or 'unknown'}, its transaction open for {units.time(open_for or 0)}"
    value = f"waits {units.time(seconds)} for process {holder} ({told}): {mode} on {what}"
    verdict = verdict_of(seconds, watch=5, bad=units.MINUTE)
    advice = f"If nobody needs what {holder} is doing: SELECT pg_terminate_backend({holder});" if verdict else ""
    return Reading(f"Process {pid}", value, verdict, advice, seconds)
