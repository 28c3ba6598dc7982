"""Decorators of every operation: body limit, name in the audit log, transaction and idempotency."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from ninja.operation import Operation as NinjaOperation
from ninja.params.models import BodyModel, QueryModel
from ninja.parser import Parser

from accounts.authentication.caller import SAFE, Caller, CallerContext, caller_of
from accounts.authentication.errors import CompanionBound
from accounts.idempotency import Gone, KeptReply, request_digest, run_once
from vibe.core.db.scale import replica
from vibe.core.db.statements.batching import one_snapshot
from vibe.core.errors import NotFound, VibeError
from vibe.core.http.bodies import NO_BODY, BodyLimit, check_type, json_of_body
from vibe.core.http.context import RequestContext, context_of
from vibe.core.http.operations import BYTES, KEEPS, MADE_IDS, READ_ANEW, SNAPSHOT, STEP
from vibe.core.strict_json import read_json

Operation = Callable[..., HttpResponse]
KEPT: Final = ("Content-Type", "Cache-Control", "ETag", "Location")


def named_and_once(operation: Operation) -> Operation:
    """Name the operation in the audit log, begin its transaction and, with an Idempotency-Key, run it once."""

    @wraps(operation)
    def run(request: HttpRequest, *args: Any, **given: Any) -> HttpResponse:
        context = context_of(request, CallerContext)
        context.entry.action = f"api:{operation.__name__}"
        bound = companion_bound_to(request, operation)
        run_preflight(operation, request, *args, **given)
        # What only reads, such as a search, may be done as often as one likes.
        key = request.headers.get("Idempotency-Key") if context.changes and request.method not in SAFE else None
        # With a key, the result of a concurrent request must be visible.
        with one_snapshot() if getattr(operation, SNAPSHOT, False) and not key else nullcontext():
            context.begin()
        if bound is not None:
            getattr(operation, KEEPS)(caller_of(request).user_id, bound, given)
        if context.changes:
            replica.will_change(caller_of(request).user_id)
        if key is None:
            return operation(request, *args, **given)
        return done_once(request, key, operation, lambda: operation(request, *args, **given))

    return run


def companion_bound_to(request: HttpRequest, operation: Operation) -> str | None:
    """Return the companion that the credential is bound to. Raises CompanionBound if the operation keeps to none."""
    caller = getattr(request, "auth", None)
    bound = caller.companion if isinstance(caller, Caller) else None
    if bound is not None and not hasattr(operation, KEEPS):
        raise CompanionBound
    return bound


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


def done_once(request: HttpRequest, key: str, operation: Operation, work: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the response to the first request with this key: its status and headers, and its body read anew."""
    asked = request_digest(str(request.method), request.get_full_path(), request.body, caller_of(request).companion)
    result = run_once(
        user_id=caller_of(request).user_id,
        key=key,
        request=asked,
        work=work,
        kept=lambda response: kept(asked, request, operation, response),
    )
    return replay(request, operation, result) if isinstance(result, KeptReply) else result


def kept(asked: str, request: HttpRequest, operation: Operation, response: HttpResponse) -> KeptReply:
    """Return what is stored of a response for retries. Its body is not."""
    headers = {name: response.headers[name] for name in KEPT if name in response.headers}
    ids = made_ids(response) if getattr(operation, MADE_IDS, False) else path_ids(request)
    return KeptReply(asked, response.status_code, headers, bool(response.content), ids)


def made_ids(response: HttpResponse) -> list[str]:
    """Return the ids of what a response shows."""
    shown = json.loads(response.content)
    return [each["id"] for each in shown.get("items", [shown])]


def path_ids(request: HttpRequest) -> list[str]:
    """Return the ids in the path of a request."""
    return [str(value) for value in (request.resolver_match.kwargs.values() if request.resolver_match else ())]


def replay(request: HttpRequest, operation: Operation, reply: KeptReply) -> HttpResponse:
    """Return a stored response with its body as of now. Raises Gone if there is none any more."""
    response = HttpResponse()
    if reply.bodied:
        read = getattr(operation, READ_ANEW, None)
        if read is None:
            raise Gone
        try:
            response = read(request, [UUID(each) for each in reply.ids])
        except NotFound:
            raise Gone from None
    else:
        del response["Content-Type"]
    response.status_code = reply.status
    for name, value in reply.headers.items():
        response.headers.setdefault(name, value)
    response.headers["Idempotency-Replayed"] = "true"
    return response


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
    return BodyLimit(getattr(operation.view_func, BYTES, NO_BODY.size), 0)
