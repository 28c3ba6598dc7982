"""Signing in to the admin: members of staff, by email and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from vibe.db.contexts import as_staff


class StaffBackend(ModelBackend):
    """Django's own backend, looking in the one scope that sees staff accounts and nobody else's."""

    def authenticate(self, request: HttpRequest | None, *args: Any, **kwargs: Any) -> Any:
        with as_staff():
            return super().authenticate(request, *args, **kwargs)

    def get_user(self, user_id: Any) -> Any:
        with as_staff():
            return super().get_user(user_id)
