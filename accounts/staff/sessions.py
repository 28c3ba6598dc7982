"""When a session of staff begins, and what is answered where it cannot be kept."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error as DatabaseError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from accounts.authentication.caller import CallerContext
from accounts.staff.services import note_given
from audit.middleware import failed
from vibe.core.admin.sudo_mode import SEEN, SIGNED_IN
from vibe.core.db.errors import is_unavailable
from vibe.core.http.context import find_context


@receiver(user_logged_in)
def start_session(request: HttpRequest | None = None, **_: Any) -> None:
    """Both clocks start with the password."""
    if request is not None:
        request.session[SIGNED_IN] = request.session[SEEN] = int(time.time())
        context = find_context(request, CallerContext)
        if context and context.one_time_code_given:
            note_given(request)


class StaffSessions(SessionMiddleware):
    """Django's. Its store has the limits: see accounts.staff.session_store."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session, outside the request's transaction, where a page changed it."""
        try:
            return super().process_response(request, response)
        except DatabaseError as problem:
            if not is_unavailable(problem):
                raise
            return failed(request, problem)
