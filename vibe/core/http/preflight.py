"""What an operation does before its transaction begins, since it may wait for a service somewhere else.

No snapshot and no lock is to wait for that. What was found out is checked again, inside, by the operation itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest

from vibe.core.errors import VibeError
from vibe.core.http.context import RequestContext, context_of

Operation = TypeVar("Operation", bound=Callable[..., Any])
STEP = "beforehand"


def preflight(step: Callable[..., Any]) -> Callable[[Operation], Operation]:
    """Have a step done before an operation, with what that is given; `preflight_result(request)` is what it gave."""

    def marked(operation: Operation) -> Operation:
        setattr(operation, STEP, step)
        return operation

    return marked


def run_preflight(operation: Callable[..., Any], request: HttpRequest, *args: Any, **given: Any) -> None:
    """Do the step of an operation, if it has one. Outside of any transaction.

    A refusal is kept for the operation: a retry of what was done already is answered as the first time, not refused.
    """
    if step := getattr(operation, STEP, None):
        try:
            result = step(request, *args, **given)
        except VibeError as refusal:
            result = refusal
        context_of(request, RequestContext).preflight = result


def preflight_result(request: HttpRequest) -> Any:
    """What the step gave. Raises what it raised, and ConfigurationError where there was none."""
    result = context_of(request, RequestContext).preflight
    if isinstance(result, VibeError):
        raise result
    return result
