"""What an operation of the API declares of itself: a preflight, and that it reads as of one moment.

The preflight runs before the transaction begins, since it may wait for another service: no snapshot and no lock is to
wait for that. The operation checks again, inside, what the preflight found out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.http import HttpRequest

from vibe.core.db.statements.connection import one_snapshot
from vibe.core.errors import VibeError
from vibe.core.http.context import RequestContext, context_of

Operation = TypeVar("Operation", bound=Callable[..., Any])
STEP, SNAPSHOT = "beforehand", "of_one_moment"


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


def in_snapshot(operation: Operation) -> Operation:
    """Mark an operation that reads several things and changes none: its transaction is to see one moment."""
    setattr(operation, SNAPSHOT, True)
    return operation


def snapshot_of(operation: Callable[..., Any]) -> AbstractContextManager[None]:
    """What the transaction of an operation is to begin in."""
    return one_snapshot() if getattr(operation, SNAPSHOT, False) else nullcontext()
