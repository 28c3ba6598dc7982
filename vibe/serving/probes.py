"""/livez and /readyz: the liveness probe for supervisors and the readiness probe for load balancers."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.middleware import no_personal_data
from vibe.serving.readiness import stops_serving, unready


@no_personal_data
@require_safe
@never_cache
def livez(_: HttpRequest) -> JsonResponse:
    """Return 200 without any check: an unavailable database is no reason to restart this process."""
    return JsonResponse({"alive": True})


@no_personal_data
@require_safe
@never_cache
def readyz(_: HttpRequest) -> JsonResponse:
    """Return 200 when requests can be served, else 503, with the result of every check."""
    reasons = unready()
    stops = stops_serving(reasons)
    checks = {name: {"ok": False, "why": why} if why else {"ok": True} for name, why in reasons.items()}
    return JsonResponse({"ready": not stops, "checks": checks}, status=503 if stops else 200)
