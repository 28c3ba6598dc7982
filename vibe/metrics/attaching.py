"""Connects the instruments with what they measure. Until then nothing is counted."""

from __future__ import annotations

from functools import cache, lru_cache
from time import perf_counter
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from stories.signals import searched
from vibe.core.crypto.seal import add_observer
from vibe.core.db.scale.replica import routed
from vibe.metrics.instruments import (
    CRYPTO,
    READINGS,
    SEARCH_SECONDS,
    SEARCHES_DEGRADED,
    STATEMENT_SECONDS,
    STATEMENTS_FAILED,
)

KINDS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "SET", "SAVEPOINT", "RELEASE", "ROLLBACK", "COPY", "WITH"})


@cache
def attach() -> None:
    """Once a process."""
    add_observer(crypto_done)
    searched.connect(search_done)
    routed.connect(reading_done)
    connection_created.connect(time_statements)
    for connection in connections.all(initialized_only=True):
        time_statements(connection)


def crypto_done(operation: str, times: int, well: bool) -> None:
    """Values were sealed or opened."""
    CRYPTO.labels(operation, "ok" if well else "failed").inc(times)


def search_done(strategy: str, seconds: float, degraded: bool, **_: Any) -> None:
    """A search came to its end."""
    SEARCH_SECONDS.labels(strategy).observe(seconds)
    if degraded:
        SEARCHES_DEGRADED.inc()


def reading_done(to: str, why: str, **_: Any) -> None:
    """Something was read, where there is a replica."""
    READINGS.labels(to, why).inc()


def time_statements(connection: Any, **_: Any) -> None:
    """Every statement of a connection from now on. (Bulk inserts and COPY go past Django's cursors, and past this.)"""
    if timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(timed)


def timed(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """One statement."""
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
    """The first word, when it is a usual one."""
    word = sql.lstrip("( \n\t")[:12].split(None, 1)[:1]
    return word[0].upper() if word and word[0].upper() in KINDS else "OTHER"
