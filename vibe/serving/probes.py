"""/livez and /readyz: for whatever starts this process again, and whatever sends requests to it."""

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
    """The process answers. It asks nothing of anybody: a database that is away is no reason to start us again."""
    return JsonResponse({"alive": True})


@no_personal_data
@require_safe
@never_cache
def readyz(_: HttpRequest) -> JsonResponse:
    """200 when requests can be served, 503 when not, each time with every reason."""
    reasons = unready()
    stops = stops_serving(reasons)
    checks = {name: {"ok": False, "why": why} if why else {"ok": True} for name, why in reasons.items()}
    return JsonResponse({"ready": not stops, "checks": checks}, status=503 if stops else 200)
