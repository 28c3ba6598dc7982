"""How long staff stay signed in: while they work, and never past a fixed time since they gave their password."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase

from accounts.one_time_codes import note_given
from vibe.adminkit.sudo import SEEN, SIGNED_IN

NOTED_EVERY = 60  # seconds: a session is not written on every request


@receiver(user_logged_in)
def begin(request: HttpRequest | None = None, **_: Any) -> None:
    """Both clocks start with the password."""
    if request is not None:
        request.session[SIGNED_IN] = request.session[SEEN] = int(time.time())
        if getattr(request, "one_time_code_given", False):
            note_given(request)


class SessionLimits:
    """Between the session and who is signed in by it: what has run out is no session any more."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if SESSION_KEY in request.session:
            now = int(time.time())
            if run_out(request.session, now):
                request.session.flush()
            elif now - int(request.session[SEEN]) >= NOTED_EVERY:
                request.session[SEEN] = now
        return self.get_response(request)


def run_out(session: Any, now: int) -> bool:
    """Whether it is too old or was left alone too long. One without clocks has run out."""
    since, seen = int(session.get(SIGNED_IN, 0)), int(session.get(SEEN, 0))
    return now - since >= settings.SESSION_HOURS * 3600 or now - seen >= settings.SESSION_IDLE_MINUTES * 60
