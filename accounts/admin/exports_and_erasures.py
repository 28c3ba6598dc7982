"""Exports and erasures in the admin: request them for a person, approve, cancel, and check the receipt."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin import grants
from accounts.admin.owned import OwnedAdmin
from accounts.erasure import services as erasure
from accounts.erasure.deleting import rows_left
from accounts.erasure.proof import ReceiptBroken, verify
from accounts.export.services import request_export
from accounts.models import Erasure, Export, User
from accounts.people.names import is_uuid
from vibe.core.admin.base import MetadataAdmin, note_viewed
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, WhyForm, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import list_url, page_url, short_id
from vibe.core.admin.sudo_mode import asks_for_no_password


def export(request: HttpRequest, row: User, **why: str) -> str:
    """Request an export of a person's data."""
    request_export(user_id=row.pk, actor=grants.acting_staff(request), **why)
    return "Export requested. A job makes the archive; only the person can open it."


def erase(request: HttpRequest, row: User, *, reason: str, ticket: str) -> str:
    """Request the erasure of a person."""
    actor = grants.acting_staff(request)
    if erasure.request_erasure(user_id=row.pk, actor=actor, reason=reason, ticket=ticket).due_at:
        return "Erasure scheduled. Until it begins, it can be cancelled on its own page."
    return "Erasure requested. Nothing happens to the person until an approver approves it, on its own page."


def may_be_exported(_request: HttpRequest, row: User) -> bool:
    """Return whether staff may have this account exported: an active person whose processing is not restricted."""
    return not row.is_staff and row.is_active and row.restricted_at is None


def may_be_erased(_request: HttpRequest, row: User) -> bool:
    """Return whether this is a person without a scheduled or finished erasure."""
    return not row.is_staff and not Erasure.objects.filter(person=row.pk).exists()


# Actions on the page of a person that staff take on the person's request.
FOR_A_PERSON = (
    ConfirmedAction(
        "export",
        "Export their data",
        "For a person who asked for their data. A job makes an archive of all of it. They download it in their app; "
        "you cannot open it.",
        *(export, requires_permission("accounts.add_export"), may_be_exported),
        form=WhyForm,
    ),
    ConfirmedAction(
        "erase",
        "Erase this person",
        "For a person who asked to be erased. Unless this service does without, an approver decides first. Then they "
        "cannot sign in any more, and when the grace period is over, their keys and all of their data are destroyed. "
        "Until then it can be cancelled; afterwards nothing can be restored.",
        *(erase, requires_permission("accounts.add_erasure"), may_be_erased),
        grave=True,
        sudo=True,
        form=WhyForm,
    ),
)


def approve(request: HttpRequest, row: Erasure) -> str:
    """Approve an erasure that another member of staff requested."""
    erasure.approve_erasure(user_id=row.person, actor=grants.acting_staff(request))
    return "Erasure approved. The person cannot sign in any more. Until it begins, it can be cancelled here."


def refuse(request: HttpRequest, row: Erasure) -> str:
    """Refuse an erasure that another member of staff requested."""
    erasure.refuse_erasure(user_id=row.person, actor=grants.acting_staff(request))
    return "Erasure refused. The person stays as they were."


def call_off(request: HttpRequest, row: Erasure) -> str:
    """Cancel a requested or scheduled erasure."""
    erasure.cancel_erasure(user_id=row.person, actor=grants.acting_staff(request))
    return "Erasure cancelled. The person can sign in again if they could before."


def may_decide(request: HttpRequest, row: Erasure) -> bool:
    """Return whether the signed-in member of staff may approve or refuse an erasure."""
    return erasure.may_approve_erasure(request.user, row)  # type: ignore[arg-type]


class ReceiptForm(forms.Form):
    """Form for a receipt."""

    receipt = forms.CharField(
        max_length=20_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        help_text="The whole content of the receipt's file.",
    )

    def clean_receipt(self) -> Any:
        """Return the receipt as a statement. Raises ValidationError for what is no JSON."""
        try:
            return json.loads(self.cleaned_data["receipt"])
        except (ValueError, RecursionError):
            raise forms.ValidationError("This is not a receipt: it is not JSON. Paste the file as a whole.") from None


@admin.register(Export)
class ExportAdmin(OwnedAdmin):
    """Archives that people requested. Only the person can open one."""

    list_display = ("row_id", "person", "standing", "progress", "size", "requested_at", "expires_at")
    list_filter = ("state",)
    date_hierarchy = "requested_at"
    fields = (
        *("id", "person", "standing", "progress", "size", "problem"),
        *("requested_at", "finished_at", "expires_at"),
    )
    empty_hint = "A row appears when a person asks for their data."

    @label_column("State", {"Ready": "success", "Failed": "danger", "Waiting": "warning", "Running": "info"})
    def standing(self, row: Export) -> str:
        return row.get_state_display()


@admin.register(Erasure)
class ErasureAdmin(MetadataAdmin):
    """Scheduled erasures, and the tombstones of finished ones."""

    owner = "person"
    list_display = ("row_id", "who", "standing", "asked_by", "ticket", "requested_at", "due_at", "finished_at")
    list_filter = (("finished_at", admin.EmptyFieldListFilter),)
    date_hierarchy = "requested_at"
    search_fields = ("person",)
    search_help_text = "Id of the person, or of the erasure"
    fields = (
        *("id", "who", "standing", "asked_by", "reason", "ticket", "requested_at", "approver", "approved_at"),
        *("due_at", "begun_at", "progress", "finished_at", "proof"),
    )
    empty_hint = "A row appears when an erasure is requested, and stays as proof of it."
    deeds = (
        ConfirmedAction(
            "approve-erasure",
            "Approve erasure",
            "The person cannot sign in from now on. When the grace period is over, their keys and all of their data "
            "are destroyed, and nothing can be restored. Until then it can be cancelled.",
            *(approve, may_decide, lambda _, row: row.due_at is None),
            grave=True,
            sudo=True,
        ),
        ConfirmedAction(
            "refuse-erasure",
            "Refuse erasure",
            "Nothing happens to the person. The erasure may be requested again.",
            *(refuse, may_decide, lambda _, row: row.due_at is None),
        ),
        ConfirmedAction(
            "call-off",
            "Cancel erasure",
            "This person will not be erased, and can sign in again if they could before.",
            *(call_off, requires_permission("accounts.change_erasure"), lambda _, row: row.begun_at is None),
        ),
    )

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view
        return [
            path("check/", page(self.check_view), name="accounts_erasure_check"),
            path("<uuid:pk>/receipt/", page(self.receipt_view), name="accounts_erasure_receipt"),
            *super().get_urls(),
        ]

    def receipt_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Send the signed receipt of a finished erasure as a file."""
        row = self.get_object(request, str(pk))
        if not self.has_view_permission(request):
            raise PermissionDenied
        if row is None or not row.receipt:
            raise Http404("There is no receipt yet.")
        answer = HttpResponse(json.dumps(row.receipt, sort_keys=True, indent=1), content_type="application/json")
        answer.headers["Content-Disposition"] = f'attachment; filename="erasure-{row.person}.json"'
        answer.headers["Cache-Control"] = "no-store, private"
        return answer

    @asks_for_no_password
    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form for a receipt, filled with that of the erasure `of`, and what a check of it finds."""
        note_viewed(request, "erasures")
        if not self.has_view_permission(request):
            raise PermissionDenied
        known = request.GET.get("of", "")
        row = self.get_queryset(request).filter(pk=known).first() if is_uuid(known) else None
        sent = request.POST if request.method == "POST" else None
        initial = {"receipt": json.dumps(row.receipt, sort_keys=True, indent=1)} if row and row.receipt else None
        form = ReceiptForm(sent, initial=initial)
        context = {
            **self.admin_site.each_context(request),
            "title": "Check a receipt",
            "question": "A receipt holds if a key of this service signed it, the audit log has it, and nothing of the "
            "person is in the database any more.",
            "button": "Check receipt",
            "form": form,
            "back": page_url(Erasure, row.pk) if row else list_url(Erasure),
        }
        if form.is_valid():
            receipt = form.cleaned_data["receipt"]
            try:
                verify(receipt)
            except ReceiptBroken as problem:
                context["error"] = f"The receipt does not hold. {problem}"
            else:
                note_viewed(request, f"users/{receipt['person']}", UUID(receipt["person"]))
                context["facts"] = receipt_facts(receipt)
        return TemplateResponse(request, "vibe/admin/confirm.html", context)

    def found(self, term: str) -> Q:
        return Q(pk=UUID(term)) | Q(person=UUID(term)) if is_uuid(term) else Q(pk__in=())

    def facts(self, row: Erasure) -> list[tuple[str, Any]]:
        self.complete([row])
        why = [("Reason", row.reason), ("Ticket", row.ticket)] if row.reason else []
        when = row.due_at or timezone.now() + timedelta(days=settings.ERASURE_GRACE_DAYS)
        return [("Person", self.who(row)), ("Requested by", self.asked_by(row)), *why, ("Erased on", when)]

    def buttons(self, request: HttpRequest, row: Erasure) -> list[Button]:
        if not row.receipt:
            return super().buttons(request, row)
        return [
            Button("Download receipt", reverse("admin:accounts_erasure_receipt", args=[row.pk])),
            Button("Check receipt", f"{reverse('admin:accounts_erasure_check')}?of={row.pk}"),
        ]

    def complete(self, rows: list[Any]) -> None:
        grants.look_up_emails(rows, "person", "requested_by", "approved_by")

    def complete_page(self, row: Any) -> None:
        self.complete([row])
        row.rows_left = sum(rows_left(row.person).values()) if row.begun_at and not row.finished_at else 0

    @admin.display(description="Id")
    def row_id(self, row: Erasure) -> str:
        return short_id(row.pk)

    @admin.display(description="Person")
    def who(self, row: Erasure) -> SafeString | str:
        return short_id(row.person) if row.finished_at else grants.staff_link(row, row.person)

    @admin.display(description="Requested by")
    def asked_by(self, row: Erasure) -> SafeString | str:
        return grants.staff_link(row, row.requested_by) if row.requested_by else "the person, or a command"

    @admin.display(description="Approved by")
    def approver(self, row: Erasure) -> SafeString | str:
        return grants.staff_link(row, row.approved_by)

    @admin.display(description="Progress")
    def progress(self, row: Any) -> str:
        """Say what was removed so far, and how much is left."""
        if not row.begun_at:
            return "Not begun"
        removed = in_words(row.removed) or "nothing yet"
        left = "" if row.finished_at else f" Left: {row.rows_left:,} rows."
        return f"Removed: {removed}.{left}"

    @admin.display(description="Receipt")
    def proof(self, row: Any) -> SafeString | str:
        if not row.receipt:
            return "-"
        return format_html(
            '<pre class="whitespace-pre-wrap">{}</pre>', json.dumps(row.receipt, sort_keys=True, indent=1)
        )

    @label_column(
        "State",
        {"Waits for approval": "warning", "Scheduled": "warning", "Under way": "info", "Erased": "danger"},
    )
    def standing(self, row: Any) -> str:
        if row.begun_at:
            return "Erased" if row.finished_at else "Under way"
        return "Scheduled" if row.due_at else "Waits for approval"


def in_words(removed: dict[str, int]) -> str:
    """Return how many rows of which table were removed, by the tables' names in the admin."""
    names = {model._meta.db_table: str(model._meta.verbose_name_plural) for model in apps.get_models()}
    return ", ".join(f"{names.get(table, table)}: {number:,}" for table, number in sorted(removed.items()))


def receipt_facts(receipt: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what the page says of a receipt that holds."""
    return [
        ("Result", "The receipt holds. All three were checked just now."),
        ("Person", receipt["person"]),
        ("Requested", datetime.fromisoformat(receipt["requested_at"])),
        ("Erased", datetime.fromisoformat(receipt["at"])),
        ("Removed", in_words(receipt["removed"])),
        ("Signed with", f"key {receipt['key']}"),
    ]
