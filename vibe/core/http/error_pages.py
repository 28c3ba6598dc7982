"""Errors as pages for people: what happened, what to do, the request id, and a way back.

A page reads nothing, neither from the database nor from the request: the transaction may be closed to further
statements, and the host may be the fault.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from vibe.core.db.errors import DatabaseUnavailable, is_unavailable
from vibe.core.errors import VibeError
from vibe.core.logs.request_id import request_id

TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read",
    HTTPStatus.FORBIDDEN: "You may not see this",
    HTTPStatus.NOT_FOUND: "There is no such page",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available at the moment",
}
MESSAGES: Final = {
    HTTPStatus.BAD_REQUEST: "Open the page again from where you found it.",
    HTTPStatus.FORBIDDEN: "Your account has no role that opens this page. A superuser can give it one.",
    HTTPStatus.NOT_FOUND: "The address is mistyped, or what was here has been removed. Look for it in its list.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "It failed on our side, and nothing was changed. Try again in a moment.",
}


def error_page(problem: VibeError, back: str = "") -> HttpResponse:
    """Return an error of ours as a page. `back` is the address to return to, if there is a better one than home."""
    shown = DatabaseUnavailable() if is_unavailable(problem) else problem  # the database's own names host and user
    status = HTTPStatus(shown.status)
    title = TITLES[status] if status == HTTPStatus.SERVICE_UNAVAILABLE else "We couldn't do that"
    return _page(status, title, str(shown), back, shown.headers)


def status_page(status: HTTPStatus, message: str = "") -> HttpResponse:
    """Return a page for a status that Django answers with. The text of its exceptions is not shown."""
    return _page(status, TITLES[status], message or MESSAGES[status])


def _page(
    status: HTTPStatus, title: str, message: str, back: str = "", headers: dict[str, str] | None = None
) -> HttpResponse:
    given = {
        "status": int(status),
        "title": title,
        "message": message,
        "back": back,
        "request_id": request_id(),
        "ours": status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    }
    return HttpResponse(
        render_to_string("vibe/error.html", given),
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


# Django's handlers, named in vibe.urls, and CSRF_FAILURE_VIEW. Django gives an error by the name `exception`.


def bad_request(_request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return status_page(HTTPStatus.BAD_REQUEST)


def forbidden(_request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return status_page(HTTPStatus.FORBIDDEN)


def not_found(_request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return status_page(HTTPStatus.NOT_FOUND)


def failed(_request: HttpRequest) -> HttpResponse:
    return status_page(HTTPStatus.INTERNAL_SERVER_ERROR)


def form_too_old(_request: HttpRequest, **_: object) -> HttpResponse:
    """Refuse a form without the token of its session (CSRF)."""
    return error_page(FormTooOld())


class FormTooOld(VibeError):
    message = (
        "The form does not belong to your present session, so nothing was changed. Open its page again and send it "
        "from there. If that does not help, allow cookies for this site."
    )
    code = "form-too-old"
    status = 403
