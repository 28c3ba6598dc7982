"""Connections to the server, the pool in this process, and transactions that stay open."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking, monitor_grant_sql
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Connections and transactions"
ABOUT = (
    "Each connection costs the server memory: with many processes put PgBouncer in front. A transaction that stays "
    "open holds locks and keeps VACUUM from clearing up: end what forgot it."
)
# Without pg_monitor, only the existence of others' connections is visible.
NOW = """
    SELECT count(*), count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state ^@ 'idle in transaction'),
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        count(*) FILTER (WHERE state IS NULL), pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    FROM pg_stat_activity WHERE backend_type = 'client backend' OR backend_type IS NULL
"""
OLDEST = """
    SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::float, state, coalesce(application_name, '')
    FROM pg_stat_activity
    WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND datname = current_database()
    ORDER BY xact_start LIMIT 1
"""
WRAPAROUND = "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()"
SINCE_VACUUM = 2_000_000_000  # transactions that may go by at most


def connections() -> Looking:
    """Return the chapter on connections and transactions."""
    [now], oldest, [[age]] = yield [(NOW, ()), (OLDEST, ()), (WRAPAROUND, ())]
    count, active, waiting, most, unseen, allowed = now
    longest = transaction(*oldest) if allowed else hidden(unseen)
    return Chapter(TITLE, ABOUT, (in_use(count, active, waiting, most), pool(), longest, wraparound(age)))


def in_use(count: int, active: int, waiting: int, most: int) -> Reading:
    """Return how many of the server's connections are in use."""
    verdict = verdict_of(count / most, watch=0.7, bad=0.9)
    advice = "Put PgBouncer in front, or raise max_connections and restart." if verdict else ""
    value = f"{count} of {most}; {active} at work, {waiting} idle in a transaction"
    return Reading("Connections", value, verdict, advice, float(count))


def pool() -> Reading:
    """Return the state of this process's pool, if one is configured."""
    found = getattr(connection, "pool", None)
    if found is None:
        return Reading("Pool", "none: each thread keeps a connection of its own for DATABASE_CONN_MAX_AGE")
    told = found.get_stats()
    waiting = told.get("requests_waiting", 0)
    value = f"{told.get('pool_size', 0)} of {told.get('pool_max', 0)} open, {waiting} requests waiting"
    verdict = Verdict.WATCH if waiting else Verdict.OK
    return Reading("Pool", value, verdict, "Make the pool larger." if verdict else "", float(waiting))


def transaction(oldest: tuple[Any, ...] | None = None) -> Reading:
    """Return the longest open transaction, from a row of OLDEST."""
    if oldest is None:
        return Reading("Longest transaction", "none open but this one", number=0.0)
    pid, age, state, application = oldest
    verdict = verdict_of(age, watch=5 * units.MINUTE, bad=units.HOUR)
    advice = f"If nobody needs it: SELECT pg_terminate_backend({pid});" if verdict else ""
    told = ", ".join(part for part in (f"process {pid}", state, application) if part)
    return Reading("Longest transaction", f"{units.time(age)} ({told})", verdict, advice, age)


def hidden(count: int) -> Reading:
    """Return the reading for transactions that this role may not see."""
    advice = monitor_grant_sql()
    return Reading("Longest transaction", f"{count} connections may not be looked at", Verdict.UNKNOWN, advice)


def wraparound(age: int) -> Reading:
    """Return how near the server is to stopping because old rows are not frozen."""
    part = age / SINCE_VACUUM
    verdict = verdict_of(part, watch=0.25, bad=0.5)
    advice = "Autovacuum does not get through: end old transactions, then VACUUM as the database's owner."
    return Reading("Transaction numbers", f"{units.share(part)} used", verdict, advice if verdict else "", part)


def has_unnamed_pooler() -> bool:
    """Return whether a pooler answers in the server's place while DATABASE_POOLER is off.

    It gives each client a number of its own by which to cancel statements, where a server gives that of its process.
    """
    if settings.DATABASE_POOLER:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [theirs] = cursor.fetchone()
    return bool(theirs != connection.connection.info.backend_pid)
