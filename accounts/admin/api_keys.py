"""API keys in the admin: made, approved by a second member of staff, and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin import grants
from accounts.admin.webhooks import webhook_button
from accounts.api_keys import services as api_keys
from accounts.companions import LONGEST_COMPANION
from accounts.grants.separation import APPROVE
from accounts.key_approvals import services as approving
from accounts.models import ApiKey, WebhookEndpoint
from accounts.models.api_keys import SCOPES
from accounts.people.services.people import find_person
from vibe.core.admin.base import MetadataAdmin, Related, note_viewed, show_once
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import list_url, page_url
from vibe.core.admin.sudo_mode import asks_when_shown
from vibe.core.errors import VibeError

IN_USE, WAITING, EXPIRED, REVOKED = "In use", "Waits for approval", "Expired", "Revoked"


class KeyForm(forms.Form):
    """Form for a new API key, with what the command make_api_key takes."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="What it is for.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(name, f"{name}: {text}") for name, text in SCOPES.items()],
        initial=["read"],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    days = forms.IntegerField(
        label="Valid for days",
        min_value=1,
        max_value=api_keys.LONGEST.days,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    person = forms.CharField(
        label="Only for this person",
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="email:ADDRESS, uid:FIREBASE-UID or id:ID. Left empty, it acts for everybody.",
    )
    companion = forms.CharField(
        label="Only for this companion",
        required=False,
        strip=False,
        max_length=LONGEST_COMPANION,
        widget=UnfoldAdminTextInputWidget,
        help_text="The companion's id. Left empty, it opens conversations with all of them.",
    )

    def clean_person(self) -> UUID | None:
        """Return the id of the person. Raises ValidationError for nobody's name."""
        try:
            return find_person(given) if (given := self.cleaned_data["person"]) else None
        except VibeError as problem:
            raise forms.ValidationError(str(problem)) from None


def revoke(request: HttpRequest, row: ApiKey) -> str:
    """Revoke a key."""
    api_keys.revoke_api_key(key_id=row.pk, actor=grants.acting_staff(request))
    return "Key revoked. Requests with it are refused."


def approve(request: HttpRequest, row: ApiKey) -> str:
    """Let a key work that another member of staff made."""
    approving.approve_key(key_id=row.pk, actor=grants.acting_staff(request))
    return "Key approved. It works from now on."


def may_approve(request: HttpRequest, row: ApiKey) -> bool:
    """Return whether the signed-in member of staff may approve a key."""
    return approving.may_approve_key(request.user, row)  # type: ignore[arg-type]


def may_revoke(request: HttpRequest, _row: ApiKey) -> bool:
    """Return whether the signed-in member of staff may revoke keys: who makes them, and who decides on them."""
    return request.user.has_perm("accounts.change_apikey") or request.user.has_perm(APPROVE)


def waits(_request: HttpRequest, row: ApiKey) -> bool:
    """Return whether a key waits for approval."""
    return row.approved_at is None and row.revoked_at is None


@admin.register(ApiKey)
class ApiKeyAdmin(MetadataAdmin):
    """Keys of servers. The key itself is shown once, when it is made."""

    list_display = (
        *("name", "hint", "standing", "may", "acts_for", "maker", "created_at", "expires_at", "last_used_at"),
    )
    list_filter = (("approved_at", admin.EmptyFieldListFilter), ("revoked_at", admin.EmptyFieldListFilter))
    date_hierarchy = "created_at"
    fields = (
        *("id", "name", "hint", "standing", "may", "acts_for"),
        *("maker", "created_at", "approver", "approved_at", "expires_at", "last_used_at", "revoked_at"),
    )
    search_fields = ("id",)
    search_help_text = "Id of the key"
    empty_hint = "A server calls the API with a key. Add API key makes one."
    deeds: ClassVar[tuple[ConfirmedAction, ...]] = (
        ConfirmedAction(
            "approve-key",
            "Approve this key",
            "Whoever has the key will be able to do with people's content what is said below, from now on.",
            *(approve, may_approve, waits),
            sudo=True,
        ),
        ConfirmedAction(
            "revoke",
            "Revoke this key",
            "Servers that use this key are refused from their next request on. This cannot be undone.",
            *(revoke, may_revoke, lambda _, row: row.revoked_at is None),
            grave=True,
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(approving.may_make_key(request.user))  # type: ignore[arg-type]

    @asks_when_shown
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the form for a new key, and the key once it is made."""
        note_viewed(request, "api_keys")
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = KeyForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            try:
                pk, credential = approving.make_key(
                    name=given["name"],
                    scopes=given["scopes"],
                    lasts=timedelta(days=given["days"]),
                    person=given["person"],
                    companion=given["companion"] or None,
                    actor=grants.acting_staff(request),
                )
            except VibeError as problem:
                form.add_error(None, str(problem))
            else:
                return self.show_key(request, pk, credential)
        title = "Make an API key"
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "button": title,
            "question": "A server that has the key calls the API with it. It works once an approver has approved it.",
            "form": form,
            "error": " ".join(map(str, form.non_field_errors())),
            "back": list_url(ApiKey),
        }
        return TemplateResponse(request, "vibe/admin/confirm.html", context)

    def show_key(self, request: HttpRequest, pk: UUID, credential: str) -> HttpResponse:
        """Return the page that shows a key, this once."""
        return show_once(
            request,
            title="The API key",
            question="Copy it to its server now: it is not shown again. It works once an approver has approved it.",
            facts=[("Key", format_html("<code>{}</code>", credential))],
            back=page_url(ApiKey, pk),
        )

    def complete(self, rows: list[Any]) -> None:
        grants.look_up_emails(rows, "made_by", "approved_by", "person")

    def title_of(self, row: ApiKey) -> str:
        return f"API key {row.name}"

    def buttons(self, request: HttpRequest, row: ApiKey) -> list[Button]:
        return [*webhook_button(request, row), *super().buttons(request, row)]

    def related(self, row: ApiKey) -> list[Related]:
        hooks = Related("Webhooks", list_url(WebhookEndpoint, api_key=row.pk), needs="accounts.view_webhookendpoint")
        return [hooks, *super().related(row)]

    def facts(self, row: ApiKey) -> list[tuple[str, Any]]:
        self.complete([row])
        return [
            *(("Name", row.name), ("Begins with", row.hint), ("Made by", self.maker(row))),
            *(
                ("It may", "; ".join(SCOPES.get(scope, scope) for scope in row.scopes)),
                ("Acts for", self.acts_for(row)),
            ),
            *(("Valid until", row.expires_at), ("Last used", row.last_used_at or "never")),
        ]

    @label_column("State", {IN_USE: "success", WAITING: "warning", EXPIRED: "info", REVOKED: "danger"})
    def standing(self, row: ApiKey) -> str:
        if row.revoked_at:
            return REVOKED
        if not row.approved_at:
            return WAITING
        return IN_USE if row.expires_at > timezone.now() else EXPIRED

    @admin.display(description="Made by")
    def maker(self, row: ApiKey) -> SafeString | str:
        return grants.staff_link(row, row.made_by) if row.made_by else "a command"

    @admin.display(description="Approved by")
    def approver(self, row: ApiKey) -> SafeString | str:
        """Return the second member of staff. A team of one has none."""
        return grants.staff_link(row, row.approved_by)

    @admin.display(description="Scopes")
    def may(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="Acts for")
    def acts_for(self, row: ApiKey) -> SafeString | str:
        return grants.staff_link(row, row.person) if row.person else "everybody"
