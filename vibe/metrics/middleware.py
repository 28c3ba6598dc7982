"""Around every request: its id and context, its counts and times, its log line. Routes by name, never by path."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import perf_counter

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.authentication.caller import CallerContext
from audit.middleware import origin_of
from vibe.core.http.context import set_context
from vibe.core.logs.request_id import new_request_id
from vibe.metrics.attaching import attach
from vibe.metrics.instruments import (
    POOL_CONNECTIONS,
    POOL_WAITED,
    POOL_WAITED_SECONDS,
    POOL_WAITING,
    REQUEST_SECONDS,
    REQUESTS,
    REQUESTS_RUNNING,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET = frozenset({"livez", "readyz", "metrics", "static"})  # asked every few seconds: counted, not logged

logger = logging.getLogger("vibe.requests")
_noting = threading.Lock()
_before = {"requests_queued": 0, "requests_wait_ms": 0}


class Observed:
    """First in MIDDLEWARE, so that nothing is left out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        attach()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        start = perf_counter()
        with new_request_id() as made, REQUESTS_RUNNING.track_inprogress():
            set_context(request, CallerContext(origin=origin_of(request)))
            response = self.get_response(request)
            response.headers["X-Request-ID"] = made
            note(request, response.status_code, perf_counter() - start)
        return response


def note(request: HttpRequest, status: int, seconds: float) -> None:
    """Count, time and log one answer."""
    route, method = route_of(request), request.method if request.method in METHODS else "OTHER"
    REQUESTS.labels(route, method, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    note_pool()
    if route not in QUIET:
        known = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 1)}
        logger.info("%s %s %s in %.0f ms", method, route, status, seconds * 1000, extra=known)


def route_of(request: HttpRequest) -> str:
    """The name of the route that was met."""
    match = request.resolver_match
    if match:
        return match.view_name
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "none"


def note_pool() -> None:
    """Take over what the connection pool (DATABASE_POOL_SIZE) says of itself, where there is one.

    Its counts are since its start: what is new of them is added.
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
