"""/metrics, for Prometheus: counts and times, nothing of anybody. Read with a token, or from a network named for it."""

from __future__ import annotations

import hmac
import os
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from audit.client.address import Network
from audit.client.trusted import networks_of
from audit.middleware import no_personal_data, origin_of
from vibe.core.from_settings import from_settings
from vibe.metrics.collector import AskedNow
from vibe.metrics.shared import VARIABLE

REFUSED = "Refused. Send METRICS_TOKEN as a bearer token, or ask from a network of METRICS_NETWORKS.\n"


@no_personal_data
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All of it, in Prometheus's text format."""
    if not allowed(request):
        return HttpResponse(REFUSED, status=403, content_type="text/plain; charset=utf-8")
    return HttpResponse(written(), content_type=CONTENT_TYPE_LATEST)


def allowed(request: HttpRequest) -> bool:
    """By the token, or by where the request comes from. With neither set, nobody."""
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
    """What all processes counted, and what the database says now."""
    asked = CollectorRegistry()
    asked.register(AskedNow())
    return generate_latest(counted()) + generate_latest(asked)


def counted() -> CollectorRegistry:
    """The instruments of every process of this start; of this one alone where there is no common folder."""
    if VARIABLE not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
