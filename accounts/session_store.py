"""Sessions in the database, as Django keeps them, written by one statement where its own takes a transaction."""

from __future__ import annotations

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    """The store that SESSION_ENGINE names. A session is written each minute of use: see accounts.sessions."""

    def save(self, must_create: bool = False) -> None:
        """Raises UpdateError for a session that was ended meanwhile: it must not come back."""
        if must_create or self.session_key is None:
            return super().save(must_create)
        kept = self.create_model_instance(dict(self.items()))
        stored = self.model.objects.filter(pk=kept.pk)
        if not stored.update(session_data=kept.session_data, expire_date=kept.expire_date):
            raise UpdateError
        return None
