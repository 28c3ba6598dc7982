"""Middleware that refuses requests under wrong master keys, and that of staff sessions.

The middleware in accounts.authentication identifies callers of the API.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.contrib.sessions.middleware import SessionMiddleware
from django.db import DatabaseError, Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts.keys.master_key import Fit, is_known_to_fit, last_known_fit
from audit.middleware import failed, matched
from vibe.core.db.errors import is_unavailable
from vibe.core.errors import VibeError
from vibe.core.http.error_pages import error_page

logger = logging.getLogger(__name__)


class WrongMasterKey(VibeError):
    message = (
        "This service is not set up for its database, so nothing was changed or shown. "
        "Whoever runs it learns more from: manage.py doctor"
    )
    code = "wrong-master-key"
    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "10"}


class MasterKeyMiddleware:
    """Refuse requests to a process whose master keys open nothing of its database, so that nothing is written.

    It wraps every middleware that writes. Views without personal data, such as probes, are still answered.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_known_to_fit() or shows_nobody(request):
            return self.get_response(request)
        return refuse_request() or self.get_response(request)


def refuse_request() -> HttpResponse | None:
    """Return a 503 response if the master keys open nothing, otherwise None."""
    if not opens_nothing():
        return None
    logger.error("A request is refused: the master keys open none of the stored data keys. Run: manage.py doctor")
    return error_page(WrongMasterKey())


def shows_nobody(request: HttpRequest) -> bool:
    """Return whether the view handles no personal data, or no view matches."""
    match = matched(request)
    return match is None or getattr(match.func, "no_personal_data", False)


def opens_nothing() -> bool:
    """Return whether the keys are known not to fit. False on a database error: the request itself then fails."""
    try:
        return last_known_fit() is Fit.OPENS_NOTHING
    except (DatabaseError, VibeError):
        return False


class StaffSessions(SessionMiddleware):
    """Django's session middleware. The store enforces the limits: see accounts.staff.session_store."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save a changed session, outside the request's transaction. Return an error response if that fails."""
        try:
            return super().process_response(request, response)
        except Error as problem:
            if not is_unavailable(problem):
                raise
            return failed(request, problem)
