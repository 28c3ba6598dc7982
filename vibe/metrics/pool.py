"""How the connection pool of this process is doing, where there is one (DATABASE_POOL_SIZE)."""

from __future__ import annotations

import threading

from django.db import connection

from vibe.metrics.instruments import POOL_CONNECTIONS, POOL_WAITED, POOL_WAITED_SECONDS, POOL_WAITING

_noting = threading.Lock()
_before = {"requests_queued": 0, "requests_wait_ms": 0}


def note_pool() -> None:
    """Take over what the pool says of itself: counts since its start, of which what is new is added."""
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
