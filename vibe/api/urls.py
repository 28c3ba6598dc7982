"""The URLs under /api/."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from audit.middleware import no_personal_data
from vibe.api.instance import api
from vibe.core.errors import NotFound
from vibe.core.http.responses import problem
from vibe.core.logs.request_id import request_id


@csrf_exempt  # nothing is done here, and a 403 would suggest otherwise
@no_personal_data
def nowhere(_request: HttpRequest, **_: str) -> HttpResponse:
    """Return 404 for an unknown address under /api/."""
    error = NotFound("There is no such address. /api/v1/docs lists those there are.")
    return problem(error, request_id=request_id())


api_urls: list[Any] = [
    path("v1/", api.urls),
    re_path("", nowhere, name="nowhere"),
]
