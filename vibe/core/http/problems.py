"""Errors as RFC 9457 problem details: what a program needs in fields, what a person needs in a sentence."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

from vibe.core.errors import VibeError

MEDIA_TYPE = "application/problem+json"


def problem(error: VibeError, *, request_id: str = "", **more: Any) -> JsonResponse:
    """An error of ours as an answer: its code is stable, its message says the fact and what to do."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": str(error),
        **({"request_id": request_id} if request_id else {}),
        **more,
    }
    return JsonResponse(body, status=error.status, content_type=MEDIA_TYPE, headers=error.headers)
