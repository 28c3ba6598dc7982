"""/metrics, for Prometheus: counts and times without personal data. Access needs a token or an allowed network."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from audit.client import Network, networks_of
from audit.middleware import no_personal_data, origin_of
from vibe.core.errors import VibeError
from vibe.core.from_settings import from_settings
from vibe.metrics import figures
from vibe.metrics.shared import VARIABLE

REFUSED = "Refused. Send METRICS_TOKEN as a bearer token, or ask from a network of METRICS_NETWORKS.\n"
ASKED: tuple[tuple[str, str, tuple[str, ...], Callable[[], figures.Figures]], ...] = (
    ("vibe_jobs", "Jobs by queue and state.", ("queue", "state"), figures.jobs),
    ("vibe_workers", "Running workers by queue, one for each class of work.", ("queue",), figures.workers),
    ("vibe_worker_slots", "Jobs that running workers do at once, by queue.", ("queue",), figures.worker_slots),
    (
        "vibe_worker_heartbeat_age_seconds",
        "Seconds since the last heartbeat of a worker, by queue.",
        ("queue",),
        figures.heartbeats,
    ),
    ("vibe_queue_latency_seconds", "Age of the oldest job that is due, by queue.", ("queue",), figures.queue_latency),
    (
        "vibe_unindexed_memory_age_seconds",
        "Age of the oldest memory that is not fully in the index, by the queue of its job.",
        ("queue",),
        figures.unindexed,
    ),
    ("vibe_people_restricted", "People whose processing is restricted.", (), figures.restricted),
    (
        "vibe_job_last_failure_timestamp_seconds",
        "When a job of a queue last failed, with its task and the code of the failure.",
        ("queue", "task", "code"),
        figures.last_failures,
    ),
    ("vibe_audit_lag_seconds", "Age of the oldest row of the trail that is not sealed.", (), figures.audit_lag),
    ("vibe_audit_unsealed_rows", "Rows of the trail that are not sealed.", (), figures.unsealed_rows),
    ("vibe_backup_age_seconds", "Time since the last backup was taken.", (), figures.backup_age),
    ("vibe_drill_age_seconds", "Time since a backup was last restored in a drill that passed.", (), figures.drill_age),
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


@no_personal_data
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics in Prometheus's text format, or 403."""
    if not allowed(request):
        return HttpResponse(REFUSED, status=403, content_type="text/plain; charset=utf-8")
    return HttpResponse(written(), content_type=CONTENT_TYPE_LATEST)


def allowed(request: HttpRequest) -> bool:
    """Return whether a request has the token or comes from an allowed network. With neither set, refuse all."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and kind.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    address = origin_of(request).address
    return bool(address and address.ip and any(ip_address(address.ip) in each for each in metrics_networks()))


@from_settings
def metrics_networks() -> tuple[Network, ...]:
    """Return the networks of METRICS_NETWORKS. Raises NetworkListInvalid."""
    return networks_of("METRICS_NETWORKS")


def written() -> bytes:
    """Return the counts of all processes, and the current figures."""
    asked = CollectorRegistry()
    asked.register(AskedNow())
    return generate_latest(counted()) + generate_latest(asked)


def counted() -> CollectorRegistry:
    """Return the instruments of every process of this start, or of this one if there is no common folder."""
    if VARIABLE not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class AskedNow(Collector):
    """Collector that queries the database at each scrape. Figures that fail are counted; the others are returned."""

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
