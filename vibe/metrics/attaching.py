"""The instruments, and their connections with what they measure. Before `attach`, only requests are counted."""

from __future__ import annotations

import logging
import threading
from functools import cache, lru_cache
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from prometheus_client import Counter, Gauge, Histogram

from memories.storage import storage_refused
from stories.signals import facts_left_out, searched
from vibe.core.crypto.seal import add_observer
from vibe.core.db.scale.replica import routed
from vibe.metrics.shared import reserve_room

reserve_room()

REQUESTS = Counter("vibe_requests", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "vibe_request_seconds",
    "Time to answer a request.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
REQUESTS_RUNNING = Gauge("vibe_requests_running", "Requests being answered now.", multiprocess_mode="livesum")
STATEMENT_SECONDS = Histogram(
    "vibe_statement_seconds",
    "Time of a database statement, by its first word.",
    ["kind"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10),
)
STATEMENTS_FAILED = Counter("vibe_statements_failed", "Database statements that raised an error.", ["kind"])
CRYPTO = Counter("vibe_crypto_operations", "Values sealed, opened, wrapped and unwrapped.", ["operation", "outcome"])
SEARCH_SECONDS = Histogram(
    "vibe_search_seconds",
    "Time of a search, by how the stories were found.",
    ["strategy"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
SEARCHES_DEGRADED = Counter("vibe_searches_degraded", "Searches that went by words alone.")
FACTS_LEFT_OUT = Counter("vibe_facts_left_out", "Facts of a model that were not believed, by why.", ["why"])
STORAGE_REFUSED = Counter("vibe_storage_refused", "Changes refused by a limit on what a person stores.", ["limit"])
READINGS = Counter(
    "vibe_readings",
    "What was read where there is a replica, by who answered, and why it was the primary.",
    ["server", "why"],
)
POOL_CONNECTIONS = Gauge("vibe_pool_connections", "Connections of the pools.", ["state"], multiprocess_mode="livesum")
POOL_WAITING = Gauge("vibe_pool_waiting", "Requests that wait for a connection now.", multiprocess_mode="livesum")
POOL_WAITED = Counter("vibe_pool_waits", "Times that a connection of the pool was waited for.")
POOL_WAITED_SECONDS = Counter("vibe_pool_wait_seconds", "Time waited for connections of the pool.")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET = frozenset({"livez", "readyz", "metrics", "static"})  # requested every few seconds: counted, not logged
KINDS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "SET", "SAVEPOINT", "RELEASE", "ROLLBACK", "COPY", "WITH"})

logger = logging.getLogger("vibe.requests")
_noting = threading.Lock()
_before = {"requests_queued": 0, "requests_wait_ms": 0}


@cache
def attach() -> None:
    """Attach all instruments, once a process."""
    add_observer(crypto_done)
    searched.connect(search_done)
    facts_left_out.connect(facts_done)
    routed.connect(reading_done)
    storage_refused.connect(storage_done)
    connection_created.connect(time_statements)
    for each in connections.all(initialized_only=True):
        time_statements(each)


def note_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count, time and log one response, by the name of its route, never by its path."""
    route, method = route_of(request), request.method if request.method in METHODS else "OTHER"
    REQUESTS.labels(route, method, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    note_pool()
    if route not in QUIET:
        known = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 1)}
        logger.info("%s %s %s in %.0f ms", method, route, status, seconds * 1000, extra=known)


def route_of(request: HttpRequest) -> str:
    """Return the name of the route that a request matched."""
    match = request.resolver_match
    if match:
        return match.view_name
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "none"


def note_pool() -> None:
    """Copy the statistics of the connection pool (DATABASE_POOL_SIZE), if there is one.

    Its counts are totals since its start, so only their growth is added.
    """
    pool = getattr(connection, "pool", None)
    if pool is None:
        return
    stats = pool.get_stats()
    size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
    POOL_CONNECTIONS.labels("idle").set(idle)
    POOL_CONNECTIONS.labels("used").set(size - idle)
    POOL_WAITING.set(stats.get("requests_waiting", 0))
    with _noting:
        grown = {name: max(0, stats.get(name, 0) - before) for name, before in _before.items()}
        _before.update({name: stats.get(name, 0) for name in _before})
    POOL_WAITED.inc(grown["requests_queued"])
    POOL_WAITED_SECONDS.inc(grown["requests_wait_ms"] / 1000)


def crypto_done(operation: str, times: int, well: bool) -> None:
    """Count values that were sealed or opened."""
    CRYPTO.labels(operation, "ok" if well else "failed").inc(times)


def search_done(strategy: str, seconds: float, degraded: bool, **_: Any) -> None:
    """Time a finished search, and count it if it was degraded."""
    SEARCH_SECONDS.labels(strategy).observe(seconds)
    if degraded:
        SEARCHES_DEGRADED.inc()


def facts_done(unfounded: int, unfit: int, **_: Any) -> None:
    """Count the facts of a story's processor that were not believed."""
    FACTS_LEFT_OUT.labels("unfounded").inc(unfounded)
    FACTS_LEFT_OUT.labels("unfit").inc(unfit)


def reading_done(to: str, why: str, **_: Any) -> None:
    """Count a read, by the server that answered and why."""
    READINGS.labels(to, why).inc()


def storage_done(limit: str, **_: Any) -> None:
    """Count a change that a limit on storage refused, by the limit."""
    STORAGE_REFUSED.labels(limit).inc()


def time_statements(connection: Any, **_: Any) -> None:
    """Time every later statement of a connection. Bulk inserts and COPY bypass Django's cursors, and so this."""
    if timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(timed)


def timed(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Execute one statement, and time it."""
    kind, start = kind_of(sql) if isinstance(sql, str) else "OTHER", perf_counter()
    try:
        return execute(sql, params, many, context)
    except Exception:
        STATEMENTS_FAILED.labels(kind).inc()
        raise
    finally:
        STATEMENT_SECONDS.labels(kind).observe(perf_counter() - start)


@lru_cache(maxsize=1024)
def kind_of(sql: str) -> str:
    """Return the first word of a statement if it is in KINDS, else OTHER."""
    word = sql.lstrip("( \n\t")[:12].split(None, 1)[:1]
    return word[0].upper() if word and word[0].upper() in KINDS else "OTHER"
