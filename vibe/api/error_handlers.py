"""Every error as a problem document. Internal errors are logged by type and place, never by message."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from audit.context import AuditContext
from vibe.core.db.errors import DatabaseNotReady, DatabaseUnavailable, PoolerMisconfigured, is_unavailable
from vibe.core.errors import InputError, NotFound, VibeError
from vibe.core.http.bodies import BodyTooLarge, LengthRequired, MalformedBody, is_chunked
from vibe.core.http.context import context_of
from vibe.core.http.responses import problem

logger = logging.getLogger(__name__)
MOST_ERRORS: Final = 20  # in one response
LONGEST_NAME: Final = 64  # characters of a member's name in a response
PLAIN: dict[type[Exception], type[VibeError]] = {Http404: NotFound, RequestDataTooBig: BodyTooLarge}


class Failed(VibeError):
    message = "Something failed on our side, and nothing was changed. Give the request id to whoever runs this service."
    code = "failed"


class Invalid(InputError):
    message = "Something in the request is not as it should be: see `errors`."
    code = "invalid"
    status = 422


def handle_all(api: NinjaAPI) -> None:
    """Register the handlers of every error."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        Exception: unforeseen,
        VibeError: ours,
        DatabaseNotReady: database_failed,  # its message names host and user, for the operator
        ValidationError: invalid,
        HttpError: of_ninja,
        DatabaseError: database_failed,
        UnreadablePostError: broken_off,
        Http404: plain,
        RequestDataTooBig: plain,
    }
    for error, handler in handlers.items():
        api.add_exception_handler(error, handler)


def ours(request: HttpRequest, error: VibeError) -> HttpResponse:
    """Return the response to an error of ours. A server error shows no details."""
    return unforeseen(request, error) if error.status == Failed.status else told(request, error)


def told(request: HttpRequest, error: VibeError, **more: Any) -> HttpResponse:
    """Return a problem document, and put its code into the audit log as the reason."""
    context = context_of(request, AuditContext)
    context.entry.reason = context.entry.reason or error.code
    return problem(error, request_id=context.origin.request_id, **more)


def request_id_of(request: HttpRequest) -> str:
    return context_of(request, AuditContext).origin.request_id


def unforeseen(request: HttpRequest, error: Exception) -> HttpResponse:
    """Log an unexpected error and return a generic response."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = " ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in place)
    logger.error("Request %s failed: %s at %s", request_id_of(request), type(error).__name__, where)
    return told(request, Failed())


def database_failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the response to a database that is unavailable or refused a statement."""
    if isinstance(error, PoolerMisconfigured):
        return told(request, error)
    if not isinstance(error, DatabaseNotReady) and not is_unavailable(error):
        return unforeseen(request, error)
    logger.error("Request %s: %s", request_id_of(request), type(error).__name__)
    return told(request, DatabaseUnavailable())


def plain(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the response to an error of Django's that has an equivalent of ours."""
    return told(request, PLAIN[type(error)]())


def broken_off(request: HttpRequest, _: Exception) -> HttpResponse:
    """Return a response for the log: the caller disconnected while sending and does not read it."""
    return told(request, MalformedBody("The body broke off."))


def of_ninja(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Unwrap an error that our parser raised."""
    cause = error.__cause__
    if isinstance(cause, VibeError):
        return told(request, cause)
    return unforeseen(request, cause) if isinstance(cause, Exception) else told(request, MalformedBody())


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Return the places of the first invalid fields and the number of others, never their values."""
    if is_chunked(request):
        return told(request, LengthRequired())
    fields = [
        {"field": place(each["loc"]), "code": each["type"], "detail": reason(each)}
        for each in error.errors[:MOST_ERRORS]
    ]
    more = len(error.errors) - len(fields)
    return told(request, Invalid(), errors=fields, **({"more_errors": more} if more else {}))


def place(loc: tuple[Any, ...]) -> str:
    """Return a path such as `body.memories[3].text`, without the name of the body parameter."""
    source, *rest = loc
    names = rest[1:] if source == "body" and rest else rest
    return "".join([source, *(f"[{each}]" if isinstance(each, int) else f".{shortened(each)}" for each in names)])


def shortened(name: str) -> str:
    """Return a member's name, bounded and printable. An unknown name is the caller's own text."""
    cut = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)


def reason(fault: dict[str, Any]) -> str:
    """Return the message of a fault. For a UUID, pydantic would quote a character of the input."""
    return "Input should be a valid UUID" if fault["type"] == "uuid_parsing" else str(fault["msg"])
