"""What happens around every operation, once its caller is known and its request was read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, Final

from django.http import HttpRequest, HttpResponse

from accounts.api.caller import caller_of
from accounts.authentication.context import CallerContext
from accounts.authentication.signed_in import SAFE
from accounts.idempotency import KeptReply, request_digest, run_once
from vibe.core.db.scale import replica
from vibe.core.http.context import context_of
from vibe.core.http.preflight import run_preflight
from vibe.core.http.snapshots import snapshot_of

Operation = Callable[..., HttpResponse]
KEPT: Final = ("Content-Type", "Cache-Control", "ETag", "Location")


def named_and_once(operation: Operation) -> Operation:
    """Name it in the trail; begin its transaction; with an Idempotency-Key, do it once."""

    @wraps(operation)
    def run(request: HttpRequest, *args: Any, **given: Any) -> HttpResponse:
        context = context_of(request, CallerContext)
        context.entry.action = f"api:{operation.__name__}"
        run_preflight(operation, request, *args, **given)
        key = None if request.method in SAFE else request.headers.get("Idempotency-Key")
        with nullcontext() if key else snapshot_of(operation):  # what another made of the key meanwhile is to be seen
            context.begin()
        if context.changes:
            replica.will_change(caller_of(request).user_id)
        if key is None:
            return operation(request, *args, **given)
        return done_once(request, key, lambda: operation(request, *args, **given))

    return run


def done_once(request: HttpRequest, key: str, work: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer of the first request with this key."""
    asked = request_digest(str(request.method), request.get_full_path(), request.body)
    reply, replayed = run_once(
        user_id=caller_of(request).user_id, key=key, request=asked, work=lambda: kept(asked, work())
    )
    response = HttpResponse(reply.body, status=reply.status, headers=dict(reply.headers))
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def kept(asked: str, response: HttpResponse) -> KeptReply:
    """What of an answer is kept."""
    headers = {name: response.headers[name] for name in KEPT if name in response.headers}
    return KeptReply(asked, response.status_code, headers, response.content.decode())
