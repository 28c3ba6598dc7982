"""Authentication backend of the admin: staff sign in by email and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.http import HttpRequest

from vibe.core.db.scopes import as_staff


class StaffBackend(ModelBackend):
    """Django's backend inside the scope that sees only staff accounts."""

    def authenticate(self, request: HttpRequest | None, *args: Any, **kwargs: Any) -> Any:
        with as_staff():
            return super().authenticate(request, *args, **kwargs)

    def get_user(self, user_id: Any) -> Any:
        with as_staff():
            return super().get_user(user_id)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Read permissions by role and by account in one statement instead of Django's two, since every page does."""
        if user_obj.is_active and not user_obj.is_superuser and not hasattr(user_obj, "_perm_cache"):
            granted = Permission.objects.order_by().values_list("content_type__app_label", "codename")
            found = granted.filter(group__user=user_obj).union(granted.filter(user=user_obj))
            user_obj._perm_cache = {f"{app}.{name}" for app, name in found}
        return super().get_all_permissions(user_obj, obj)
