"""What an operation of the API declares of itself: a preflight, and that it reads as of one moment.

The preflight runs before the transaction begins, since it may wait for another service: no snapshot and no lock is to
wait for that. The operation checks again, inside, what the preflight found out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest

from vibe.core.errors import VibeError
from vibe.core.http.context import RequestContext, context_of

Operation = TypeVar("Operation", bound=Callable[..., Any])
STEP, SNAPSHOT = "beforehand", "of_one_moment"


def preflight(step: Callable[..., Any]) -> Callable[[Operation], Operation]:
    """Run a step before an operation, with its arguments; `preflight_result(request)` returns its result."""

    def marked(operation: Operation) -> Operation:
        setattr(operation, STEP, step)
        return operation

    return marked


def preflight_result(request: HttpRequest) -> Any:
    """Return the result of the step, or raise what it raised. Raises ConfigurationError where there was none."""
    result = context_of(request, RequestContext).preflight
    if isinstance(result, VibeError):
        raise result
    return result


def in_snapshot(operation: Operation) -> Operation:
    """Mark an operation that reads several things and changes none: its transaction reads from one snapshot."""
    setattr(operation, SNAPSHOT, True)
    return operation
