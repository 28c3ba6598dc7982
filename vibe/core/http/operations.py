"""What an operation of the API declares of itself: a preflight, a snapshot, and how a retry reads its answer.

The preflight runs before the transaction begins, since it may wait for another service: no snapshot and no lock is to
wait for that. The operation checks again, inside, what the preflight found out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from vibe.core.errors import VibeError
from vibe.core.http.context import RequestContext, context_of

Operation = TypeVar("Operation", bound=Callable[..., Any])
Reader = Callable[[HttpRequest, list[UUID]], HttpResponse]
STEP, SNAPSHOT, READ_ANEW, MADE_IDS = "beforehand", "of_one_moment", "read_anew", "made_ids"
KEEPS = "keeps_to_companion"
BYTES = "takes_bytes"
CompanionCheck = Callable[[UUID, str, Mapping[str, Any]], None]


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


def keeps_to_companion(check: CompanionCheck | None = None) -> Callable[[Operation], Operation]:
    """Open an operation to credentials that are bound to one companion; without this they are refused.

    `check(user_id, companion, arguments)` raises NotFound for what an id among the arguments of the operation names, if
    that is not of the companion. Without a check the operation itself goes by `caller_of(request).companion_or(...)`.
    """

    def marked(operation: Operation) -> Operation:
        setattr(operation, KEEPS, check or (lambda *_: None))
        return operation

    return marked


def takes_bytes(most: int) -> Callable[[Operation], Operation]:
    """Let an operation take a body of plain bytes, which it reads itself."""

    def marked(operation: Operation) -> Operation:
        setattr(operation, BYTES, most)
        return operation

    return marked


def replayed_by(read: Reader, *, made: bool = False) -> Callable[[Operation], Operation]:
    """Name the function that reads an operation's answer anew for a retry: `read(request, ids)`. Raises NotFound.

    The ids are those of the path, or with `made` those in the answer: `id`, or `id` of each of its `items`. Without a
    reader a retry gets 410 if the answer had a body, such as a secret that is shown once.
    """

    def marked(operation: Operation) -> Operation:
        setattr(operation, READ_ANEW, read)
        setattr(operation, MADE_IDS, made)
        return operation

    return marked
