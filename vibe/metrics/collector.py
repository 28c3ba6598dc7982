"""Asks the database when /metrics is read. A figure that cannot be had is counted; the others are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import DatabaseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from vibe.core.errors import VibeError
from vibe.metrics import figures

ASKED: tuple[tuple[str, str, tuple[str, ...], Callable[[], figures.Figures]], ...] = (
    ("vibe_jobs", "Jobs by queue and state.", ("queue", "state"), figures.jobs),
    ("vibe_worker_heartbeat_age_seconds", "Seconds since a worker told it lives.", (), figures.heartbeat),
    ("vibe_audit_lag_seconds", "Age of the oldest row of the trail that is not sealed.", (), figures.audit_lag),
    ("vibe_audit_unsealed_rows", "Rows of the trail that are not sealed.", (), figures.unsealed_rows),
    ("vibe_database_size_bytes", "Size of the database.", (), figures.database_size),
    ("vibe_database_connections", "Connections to the database by state.", ("state",), figures.connections),
    ("vibe_database_max_connections", "Connections the server allows.", (), figures.most_connections),
    (
        "vibe_database_longest_transaction_seconds",
        "Age of the oldest transaction that is open.",
        (),
        figures.longest_transaction,
    ),
    ("vibe_replication_lag_seconds", "How far a replica is behind.", ("replica",), figures.replication_seconds),
    ("vibe_replication_lag_bytes", "How much a replica is behind.", ("replica",), figures.replication_bytes),
    ("vibe_replica_usable", "Whether the replica of REPLICA_URL answers and is one.", (), figures.replica_usable),
    ("vibe_replica_behind_bytes", "How much it has not replayed.", (), figures.replica_behind_bytes),
    ("vibe_replica_behind_seconds", "How old that makes it.", (), figures.replica_behind_seconds),
    ("vibe_disk_free_bytes", "Free space where Vibe writes.", ("place",), figures.disk_free),
    ("vibe_disk_size_bytes", "Size of the disk where Vibe writes.", ("place",), figures.disk_size),
)


class AskedNow(Collector):
    """Gauges whose values are asked for at each reading."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        failed = 0
        for name, told, labels, ask in ASKED:
            family = GaugeMetricFamily(name, told, labels=labels)
            try:
                for values, number in ask():
                    family.add_metric(values, number)
            except (DatabaseError, VibeError):
                failed += 1
            yield family
        family = GaugeMetricFamily("vibe_figures_failed", "Figures that could not be had at this reading.")
        family.add_metric((), failed)
        yield family
