"""Reading the body of an operation, within the limit worked out once from its schema."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja.operation import Operation
from ninja.params.models import BodyModel
from ninja.parser import Parser

from vibe.core.http.bodies import check_type, json_of_body
from vibe.core.http.body_limits import NO_BODY, BodyLimit
from vibe.core.http.context import RequestContext, context_of
from vibe.core.strict_json import read_json

Run = Callable[..., HttpResponse]


class StrictParser(Parser):
    """The parser of the API. Ninja turns what it raises into an HttpError whose cause it is."""

    def parse_body(self, request: HttpRequest) -> Any:
        check_type(request)
        with json_of_body():
            return read_json(request.body, context_of(request, RequestContext).body_limit.values)


def with_body_limit(run: Run) -> Run:
    """Give a request the limit of its operation, whose method `run` is, before anything is read."""
    limit = limit_of(run.__self__)  # type: ignore[attr-defined]

    @wraps(run)
    def limited(request: HttpRequest, **given: Any) -> HttpResponse:
        context_of(request, RequestContext).body_limit = limit
        return run(request, **given)

    return limited


def limit_of(operation: Operation) -> BodyLimit:
    """What its body may have; next to nothing, if it takes none."""
    for model in operation.models:
        if issubclass(model, BodyModel):
            schema = model.model_json_schema()
            [body] = schema["properties"].values()
            return BodyLimit.of_schema({**body, "$defs": schema.get("$defs", {})}, batch=settings.API_BODY_LIMIT)
    return NO_BODY
