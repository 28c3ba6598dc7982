"""Decorators of every operation: body limit, name in the audit log, transaction and idempotency."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from ninja.operation import Operation as NinjaOperation
from ninja.params.models import BodyModel, QueryModel
from ninja.parser import Parser

from accounts.authentication.caller import SAFE, CallerContext, caller_of
from accounts.idempotency import KeptReply, request_digest, run_once
from vibe.core.db.scale import replica
from vibe.core.db.statements.connection import one_snapshot
from vibe.core.errors import VibeError
from vibe.core.http.bodies import check_type, json_of_body
from vibe.core.http.body_limits import NO_BODY, BodyLimit
from vibe.core.http.context import RequestContext, context_of
from vibe.core.http.operations import SNAPSHOT, STEP
from vibe.core.strict_json import read_json

Operation = Callable[..., HttpResponse]
KEPT: Final = ("Content-Type", "Cache-Control", "ETag", "Location")


def named_and_once(operation: Operation) -> Operation:
    """Name the operation in the audit log, begin its transaction and, with an Idempotency-Key, run it once."""

    @wraps(operation)
    def run(request: HttpRequest, *args: Any, **given: Any) -> HttpResponse:
        context = context_of(request, CallerContext)
        context.entry.action = f"api:{operation.__name__}"
        run_preflight(operation, request, *args, **given)
        key = None if request.method in SAFE else request.headers.get("Idempotency-Key")
        # With a key, the result of a concurrent request must be visible.
        with one_snapshot() if getattr(operation, SNAPSHOT, False) and not key else nullcontext():
            context.begin()
        if context.changes:
            replica.will_change(caller_of(request).user_id)
        if key is None:
            return operation(request, *args, **given)
        return done_once(request, key, lambda: operation(request, *args, **given))

    return run


def run_preflight(operation: Operation, request: HttpRequest, *args: Any, **given: Any) -> None:
    """Run the preflight of an operation, if it has one, outside of any transaction.

    A refusal is stored for the operation: a retry of a completed request gets the first response, not a refusal.
    """
    if step := getattr(operation, STEP, None):
        try:
            result = step(request, *args, **given)
        except VibeError as refusal:
            result = refusal
        context_of(request, RequestContext).preflight = result


def done_once(request: HttpRequest, key: str, work: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the response to the first request with this key."""
    asked = request_digest(str(request.method), request.get_full_path(), request.body)
    reply, replayed = run_once(
        user_id=caller_of(request).user_id, key=key, request=asked, work=lambda: kept(asked, work())
    )
    response = HttpResponse(reply.body, status=reply.status, headers=dict(reply.headers))
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def kept(asked: str, response: HttpResponse) -> KeptReply:
    """Return the parts of a response that are stored for retries."""
    headers = {name: response.headers[name] for name in KEPT if name in response.headers}
    return KeptReply(asked, response.status_code, headers, response.content.decode())


class StrictParser(Parser):
    """The parser of the API. Ninja wraps its errors in an HttpError, as its cause."""

    def parse_body(self, request: HttpRequest) -> Any:
        check_type(request)
        with json_of_body():
            return read_json(request.body, context_of(request, RequestContext).body_limit.values)


def with_limits(run: Operation) -> Operation:
    """Set what a request may bring, before its body is read. `run` is a method of its operation."""
    operation: NinjaOperation = run.__self__  # type: ignore[attr-defined]
    limit = limit_of(operation)
    known = frozenset(
        name for model in operation.models if issubclass(model, QueryModel) for name in model.__ninja_flatten_map__
    )

    @wraps(run)
    def limited(request: HttpRequest, **given: Any) -> HttpResponse:
        context = context_of(request, RequestContext)
        context.body_limit, context.query = limit, known
        return run(request, **given)

    return limited


def check_query(request: HttpRequest) -> None:
    """Raise ValidationError for query parameters that the operation does not know: one may be misspelt."""
    known = context_of(request, RequestContext).query
    if unknown := [name for name in request.GET if name not in known]:
        fault = {"type": "extra_forbidden", "msg": "This parameter is unknown"}
        raise ValidationError([{**fault, "loc": ("query", name)} for name in unknown])


def limit_of(operation: NinjaOperation) -> BodyLimit:
    """Derive the body limit of an operation from its schema. Return NO_BODY if it takes no body."""
    for model in operation.models:
        if issubclass(model, BodyModel):
            schema = model.model_json_schema()
            [body] = schema["properties"].values()
            return BodyLimit.of_schema({**body, "$defs": schema.get("$defs", {})}, batch=settings.API_BODY_LIMIT)
    return NO_BODY
