"""Django's database sessions, with time limits for staff, and saved by one statement."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.authentication.caller import CallerContext
from accounts.staff.services import note_given
from vibe.core.admin.sudo_mode import SEEN, SIGNED_IN
from vibe.core.http.context import find_context

NOTED_EVERY = 60  # seconds: a session is not written on every request


class SessionStore(DatabaseStore):
    """The store of SESSION_ENGINE. It reads lazily, when a page first uses its session."""

    def load(self) -> dict[str, Any]:
        """Return the session data; empty if it has expired. Note the use of a session once a minute."""
        key, data = self.session_key, super().load()
        if SESSION_KEY not in data:
            return data
        now = int(time.time())
        if has_expired(data, now):
            self.delete(key)
            self._session_key = None  # as Django does past the date of expiry
            return {}
        if now - int(data[SEEN]) >= NOTED_EVERY:
            data[SEEN] = now
            self.modified = True
        return data

    async def aload(self) -> dict[str, Any]:
        """Raise NotImplementedError: only `load` enforces the limits."""
        raise NotImplementedError

    def save(self, must_create: bool = False) -> None:
        """Save the session. Raises UpdateError if it was ended meanwhile: it must not come back."""
        if must_create or self.session_key is None:
            return super().save(must_create)
        kept = self.create_model_instance(dict(self.items()))
        stored = self.model.objects.filter(pk=kept.pk)
        if not stored.update(session_data=kept.session_data, expire_date=kept.expire_date):
            raise UpdateError
        return None


@receiver(user_logged_in)
def start_session(request: HttpRequest | None = None, **_: Any) -> None:
    """Start the clocks for age and idle time at sign-in."""
    if request is not None:
        request.session[SIGNED_IN] = request.session[SEEN] = int(time.time())
        context = find_context(request, CallerContext)
        if context and context.one_time_code_given:
            note_given(request)


def has_expired(session: dict[str, Any], now: int) -> bool:
    """Return whether a session is too old or was idle too long. One without clocks has expired."""
    since, seen = int(session.get(SIGNED_IN, 0)), int(session.get(SEEN, 0))
    return now - since >= settings.SESSION_HOURS * 3600 or now - seen >= settings.SESSION_IDLE_MINUTES * 60
