"""Sessions in the database, as Django keeps them: with the limits of staff, and written by one statement."""

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
    """The store that SESSION_ENGINE names. It is read when a page first uses its session, and not before."""

    def load(self) -> dict[str, Any]:
        """Give the session; nothing of one that has run out. One in use is noted as such each minute."""
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
        """Refuse: the limits are those of `load`."""
        raise NotImplementedError

    def save(self, must_create: bool = False) -> None:
        """Raises UpdateError for a session that was ended meanwhile: it must not come back."""
        if must_create or self.session_key is None:
            return super().save(must_create)
        kept = self.create_model_instance(dict(self.items()))
        stored = self.model.objects.filter(pk=kept.pk)
        if not stored.update(session_data=kept.session_data, expire_date=kept.expire_date):
            raise UpdateError
        return None


@receiver(user_logged_in)
def start_session(request: HttpRequest | None = None, **_: Any) -> None:
    """Start both clocks with the password."""
    if request is not None:
        request.session[SIGNED_IN] = request.session[SEEN] = int(time.time())
        context = find_context(request, CallerContext)
        if context and context.one_time_code_given:
            note_given(request)


def has_expired(session: dict[str, Any], now: int) -> bool:
    """Whether it is too old or was left alone too long. One without clocks has run out."""
    since, seen = int(session.get(SIGNED_IN, 0)), int(session.get(SEEN, 0))
    return now - since >= settings.SESSION_HOURS * 3600 or now - seen >= settings.SESSION_IDLE_MINUTES * 60
