"""Counters and timers updated where things happen. Labels have few values, such as route names, and no ids."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

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
