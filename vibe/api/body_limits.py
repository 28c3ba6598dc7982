"""The limit of each operation's body, worked out once from its schema."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja.operation import Operation
from ninja.params.models import BodyModel

from vibe.core.http.body_limits import NO_BODY, BodyLimit

Run = Callable[..., HttpResponse]


def with_body_limit(run: Run) -> Run:
    """Give a request the limit of its operation, whose method `run` is, before anything is read."""
    limit = limit_of(run.__self__)  # type: ignore[attr-defined]

    @wraps(run)
    def limited(request: HttpRequest, **given: Any) -> HttpResponse:
        request.body_limit = limit  # type: ignore[attr-defined]
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
