"""Webhooks and their deliveries in the admin. A webhook is made on the page of its API key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from accounts.admin import grants
from accounts.models import ApiKey, User, WebhookDelivery, WebhookEndpoint
from accounts.models.webhooks import ERASURE_DONE, EVENTS, LONGEST_URL
from accounts.people.names import is_uuid
from accounts.webhooks.services import endpoints as webhooks
from vibe.core.admin.base import MetadataAdmin, note_viewed, show_once
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import page_link, page_url, short_id
from vibe.core.admin.sudo_mode import asks_for_no_password
from vibe.core.errors import VibeError
from vibe.core.http.error_pages import error_page

ADD, CHANGE = "accounts.add_webhookendpoint", "accounts.change_webhookendpoint"
DELETE, SEND_AGAIN = "accounts.delete_webhookendpoint", "accounts.change_webhookdelivery"
ACTIVE, FAILING, DISABLED = "Active", "Failing", "Disabled"


class WebhookForm(forms.Form):
    """Form for the address and the events of a webhook."""

    url = forms.CharField(label="Address", max_length=LONGEST_URL, widget=UnfoldAdminTextInputWidget)
    events = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {text}") for name, text in EVENTS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


def rotate(request: HttpRequest, row: WebhookEndpoint) -> HttpResponse:
    """Give a webhook a new secret, and show it."""
    made, secret = webhooks.rotate_secret(webhook_id=row.pk, actor=grants.acting_staff(request))
    return show_secret(request, made, secret)


def switch(active: bool, message: str) -> Any:
    """Return what enables or disables a webhook."""

    def run(request: HttpRequest, row: WebhookEndpoint) -> str:
        webhooks.change_webhook(webhook_id=row.pk, actor=grants.acting_staff(request), active=active)
        return message

    return run


def delete(request: HttpRequest, row: WebhookEndpoint) -> HttpResponse:
    """Delete a webhook, and go back to its API key."""
    webhooks.delete_webhook(webhook_id=row.pk, actor=grants.acting_staff(request))
    return HttpResponseRedirect(page_url(ApiKey, row.api_key))


def send_again(request: HttpRequest, row: WebhookDelivery) -> str:
    """Have a delivery sent again."""
    webhooks.redeliver(delivery_id=row.pk, actor=grants.acting_staff(request))
    return "It is sent again within seconds, under the same id."


def show_secret(request: HttpRequest, row: WebhookEndpoint, secret: str) -> HttpResponse:
    """Return the page that shows a secret, this once."""
    return show_once(
        request,
        title="The secret of the webhook",
        question="Copy it to the receiver now: it is not shown again.",
        facts=[("Address", row.url), ("Secret", secret)],
        back=page_url(WebhookEndpoint, row.pk),
    )


def webhook_button(request: HttpRequest, key: ApiKey) -> list[Button]:
    """Return the button of an API key's page that makes a webhook."""
    may = key.revoked_at is None and request.user.has_perm(ADD)
    return [Button("Add a webhook", reverse("admin:accounts_webhookendpoint_make", args=[key.pk]))] if may else []


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(MetadataAdmin):
    """Where API keys have events sent to. Secrets are shown once, when they are made."""

    list_display = ("row_id", "of_key", "url", "standing", "told", "failing_since", "created_at")
    date_hierarchy = "created_at"
    narrowed_by = ("api_key",)
    fields = (
        *("id", "of_key", "url", "told", "standing", "failing_since"),
        *("disabled_at", "disabled_why", "old_secret_until", "created_at"),
    )
    search_help_text = "Id of the webhook"
    search_fields = ("id",)
    empty_hint = "A webhook is made over the API, or with Add a webhook on the page of an API key."
    deeds = (
        ConfirmedAction(
            "rotate",
            "New secret",
            "The webhook gets a new secret, which is shown once. For a day the one of before signs too.",
            *(rotate, requires_permission(CHANGE), lambda _, row: row.disabled_at is None),
        ),
        ConfirmedAction(
            "disable",
            "Disable webhook",
            "Nothing more is sent to this address, and what waits is given up. It can be enabled again.",
            *(switch(False, "Webhook disabled."), requires_permission(CHANGE), lambda _, row: row.disabled_at is None),
        ),
        ConfirmedAction(
            "enable",
            "Enable webhook",
            "Events are sent to this address from now on. What was given up is not, unless it is sent again.",
            *(switch(True, "Webhook enabled."), requires_permission(CHANGE), lambda _, row: bool(row.disabled_at)),
        ),
        ConfirmedAction(
            "delete",
            "Delete webhook",
            "The webhook, its secrets and the records of its deliveries are deleted. This cannot be undone.",
            *(delete, requires_permission(DELETE), lambda *_: True),
            grave=True,
        ),
    )

    def get_urls(self) -> list[Any]:
        make, change = self.admin_site.admin_view(self.make_view), self.admin_site.admin_view(self.change_form_view)
        return [
            path("make/<uuid:api_key>/", make, name="accounts_webhookendpoint_make"),
            path("<uuid:webhook_id>/edit/", change, name="accounts_webhookendpoint_edit"),
            *super().get_urls(),
        ]

    @asks_for_no_password
    def make_view(self, request: HttpRequest, api_key: UUID) -> HttpResponse:
        """Show the form for a new webhook of an API key, and handle its submission."""
        note_viewed(request, f"api_keys/{api_key}")
        key = ApiKey.objects.only("id", "name").filter(pk=api_key, revoked_at=None).first()
        if key is None:
            raise Http404("There is no such API key.")
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        form = WebhookForm(request.POST or None)
        back = page_url(ApiKey, api_key)
        if request.method == "POST" and form.is_valid():
            try:
                webhooks.check_address(form.cleaned_data["url"])
                row, secret = webhooks.make_webhook(
                    api_key=api_key, actor=grants.acting_staff(request), **form.cleaned_data
                )
            except VibeError as problem:
                return error_page(problem, back)
            return show_secret(request, row, secret)
        return self.form_page(request, form, "Add a webhook", [("API key", key.name)], back)

    @asks_for_no_password
    def change_form_view(self, request: HttpRequest, webhook_id: UUID) -> HttpResponse:
        """Show the form that changes a webhook, and handle its submission."""
        row = self.get_object(request, str(webhook_id))
        if row is None:
            raise Http404("There is no such webhook.")
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        form = WebhookForm(request.POST or None, initial={"url": row.url, "events": row.events})
        back = page_url(WebhookEndpoint, webhook_id)
        if request.method == "POST" and form.is_valid():
            try:
                webhooks.check_address(form.cleaned_data["url"])
                webhooks.change_webhook(webhook_id=webhook_id, actor=grants.acting_staff(request), **form.cleaned_data)
            except VibeError as problem:
                return error_page(problem, back)
            self.message_user(request, "Webhook changed.")
            return HttpResponseRedirect(back)
        return self.form_page(request, form, "Change webhook", [], back)

    def form_page(self, request: HttpRequest, form: Any, title: str, facts: list[Any], back: str) -> HttpResponse:
        """Return the page of a form."""
        shown = {"title": title, "button": title, "form": form, "facts": facts, "back": back}
        return TemplateResponse(request, "vibe/admin/confirm.html", {**self.admin_site.each_context(request), **shown})

    def buttons(self, request: HttpRequest, row: WebhookEndpoint) -> list[Button]:
        change = Button("Change webhook", reverse("admin:accounts_webhookendpoint_edit", args=[row.pk]))
        return [*([change] if request.user.has_perm(CHANGE) else []), *super().buttons(request, row)]

    def facts(self, row: WebhookEndpoint) -> list[tuple[str, Any]]:
        return [("Address", row.url), ("API key", page_link(ApiKey, row.api_key))]

    @admin.display(description="Id")
    def row_id(self, row: WebhookEndpoint) -> str:
        return short_id(row.pk)

    @admin.display(description="API key")
    def of_key(self, row: WebhookEndpoint) -> SafeString:
        return page_link(ApiKey, row.api_key)

    @admin.display(description="Events")
    def told(self, row: WebhookEndpoint) -> str:
        return ", ".join(row.events)

    @label_column("State", {ACTIVE: "success", FAILING: "warning", DISABLED: "danger"})
    def standing(self, row: WebhookEndpoint) -> str:
        return DISABLED if row.disabled_at else FAILING if row.failing_since else ACTIVE


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(MetadataAdmin):
    """What is sent to webhooks, or was: how often it was tried, why it failed, and when it is tried next."""

    owner = "person"
    list_display = ("row_id", "webhook", "event", "standing", "tries", "failure", "next_try_at", "created_at")
    list_filter = ("state",)
    date_hierarchy = "created_at"
    narrowed_by = ("endpoint",)
    search_fields = ("person",)
    search_help_text = "Id of the delivery, which receivers know as webhook-id, or of the person"
    fields = (
        *("id", "webhook", "event", "who", "resource", "created_at"),
        *("standing", "tries", "failure", "next_try_at", "finished_at"),
    )
    empty_hint = "A row appears when something happens that a webhook listens to."
    deeds = (
        ConfirmedAction(
            "redeliver",
            "Send again",
            "The same message is sent to its webhook again, under the same id, and tried again if that fails.",
            *(send_again, requires_permission(SEND_AGAIN), lambda _, row: row.state != WebhookDelivery.State.WAITING),
        ),
    )

    def found(self, term: str) -> Q:
        return Q(pk=UUID(term)) | Q(person=UUID(term)) if is_uuid(term) else Q(pk__in=())

    def facts(self, row: WebhookDelivery) -> list[tuple[str, Any]]:
        return [("Event", row.event), ("Webhook", page_link(WebhookEndpoint, row.endpoint)), ("Tries", row.tries)]

    @admin.display(description="Id")
    def row_id(self, row: WebhookDelivery) -> str:
        return short_id(row.pk)

    @admin.display(description="Webhook")
    def webhook(self, row: WebhookDelivery) -> SafeString:
        return page_link(WebhookEndpoint, row.endpoint)

    @admin.display(description="Person")
    def who(self, row: WebhookDelivery) -> SafeString | str:
        return short_id(row.person) if row.event == ERASURE_DONE else page_link(User, row.person)

    @label_column("State", {"Delivered": "success", "Waiting": "warning", "Given up": "danger"})
    def standing(self, row: WebhookDelivery) -> str:
        return row.get_state_display().capitalize()
