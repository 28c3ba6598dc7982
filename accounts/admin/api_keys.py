"""API keys in the admin: their list, scopes and last use, and the action that revokes one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin import grants
from accounts.admin.webhooks import webhook_button
from accounts.api_keys import services as api_keys
from accounts.models import ApiKey, User, WebhookEndpoint
from vibe.core.admin.base import MetadataAdmin, Related
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import list_url, page_link

IN_USE, EXPIRED, REVOKED = "In use", "Expired", "Revoked"


def revoke(request: HttpRequest, row: ApiKey) -> str:
    """Revoke a key."""
    api_keys.revoke_api_key(key_id=row.pk, actor=grants.acting_staff(request))
    return "Key revoked. Requests with it are refused."


@admin.register(ApiKey)
class ApiKeyAdmin(MetadataAdmin):
    """Keys of servers. The key itself is shown once, by make_api_key, and never here."""

    list_display = ("name", "hint", "standing", "may", "acts_for", "created_at", "expires_at", "last_used_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    date_hierarchy = "created_at"
    fields = (
        *("id", "name", "hint", "standing", "may", "acts_for"),
        *("created_at", "expires_at", "last_used_at", "revoked_at"),
    )
    search_fields = ("id",)
    search_help_text = "Id of the key"
    empty_hint = "A key is made with: manage.py make_api_key"
    deeds = (
        ConfirmedAction(
            "revoke",
            "Revoke this key",
            "Servers that use this key are refused from their next request on. This cannot be undone.",
            *(revoke, requires_permission("accounts.change_apikey"), lambda _, row: row.revoked_at is None),
            grave=True,
        ),
    )

    def title_of(self, row: ApiKey) -> str:
        return f"API key {row.name}"

    def buttons(self, request: HttpRequest, row: ApiKey) -> list[Button]:
        return [*webhook_button(request, row), *super().buttons(request, row)]

    def related(self, row: ApiKey) -> list[Related]:
        hooks = Related("Webhooks", list_url(WebhookEndpoint, api_key=row.pk), needs="accounts.view_webhookendpoint")
        return [hooks, *super().related(row)]

    def facts(self, row: ApiKey) -> list[tuple[str, Any]]:
        return [("Name", row.name), ("Begins with", row.hint), ("Last used", row.last_used_at or "never")]

    @label_column("State", {IN_USE: "success", EXPIRED: "info", REVOKED: "danger"})
    def standing(self, row: ApiKey) -> str:
        if row.revoked_at:
            return REVOKED
        return IN_USE if row.expires_at > timezone.now() else EXPIRED

    @admin.display(description="Scopes")
    def may(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="Acts for")
    def acts_for(self, row: ApiKey) -> SafeString | str:
        return page_link(User, row.person) if row.person else "whom it names"
