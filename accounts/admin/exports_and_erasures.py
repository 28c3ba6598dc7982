"""Exports and erasures in the admin: request them for a person, see their state, cancel an erasure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.admin import grants
from accounts.admin.owned import OwnedAdmin
from accounts.erasure import services as erasure
from accounts.export.services import request_export
from accounts.models import Erasure, Export, User
from accounts.people.names import is_uuid
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.confirmed_actions import ConfirmedAction, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import page_link, short_id


def export(request: HttpRequest, row: User) -> str:
    """Request an export of a person's data."""
    request_export(user_id=row.pk, actor=grants.acting_staff(request))
    return "Export requested. A job makes the archive; only the person can open it."


def erase(request: HttpRequest, row: User) -> str:
    """Deactivate a person and schedule their erasure for the end of the grace period."""
    erasure.request_erasure(user_id=row.pk, actor=grants.acting_staff(request))
    return "Erasure scheduled. Until it begins, it can be cancelled on its own page."


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
        *(export, requires_permission("accounts.add_export"), lambda _, row: not row.is_staff and row.is_active),
    ),
    ConfirmedAction(
        "erase",
        "Erase this person",
        "For a person who asked to be erased. From now on they cannot sign in. When the grace period "
        "(ERASURE_GRACE_DAYS) is over, their keys and all of their data are destroyed. Until then it can be cancelled; "
        "afterwards nothing can be restored.",
        *(erase, requires_permission("accounts.add_erasure"), may_be_erased),
        grave=True,
        sudo=True,
    ),
)


def call_off(request: HttpRequest, row: Erasure) -> str:
    """Cancel a scheduled erasure."""
    erasure.cancel_erasure(user_id=row.person, actor=grants.acting_staff(request))
    return "Erasure cancelled. The person can sign in again if they could before."


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
    list_display = ("row_id", "who", "standing", "requested_at", "due_at", "finished_at")
    list_filter = (("finished_at", admin.EmptyFieldListFilter),)
    date_hierarchy = "requested_at"
    search_fields = ("person",)
    search_help_text = "Id of the person, or of the erasure"
    fields = ("id", "who", "standing", "requested_at", "due_at", "begun_at", "finished_at", "removed", "receipt")
    empty_hint = "A row appears when an erasure is scheduled, and stays as proof of it."
    deeds = (
        ConfirmedAction(
            "call-off",
            "Cancel erasure",
            "This person will not be erased, and can sign in again if they could before.",
            *(call_off, requires_permission("accounts.change_erasure"), lambda _, row: row.begun_at is None),
        ),
    )

    def found(self, term: str) -> Q:
        return Q(pk=UUID(term)) | Q(person=UUID(term)) if is_uuid(term) else Q(pk__in=())

    @admin.display(description="Id")
    def row_id(self, row: Erasure) -> str:
        return short_id(row.pk)

    @admin.display(description="Person")
    def who(self, row: Erasure) -> SafeString | str:
        return short_id(row.person) if row.finished_at else page_link(User, row.person)

    @label_column("State", {"Waiting": "warning", "Under way": "info", "Erased": "danger"})
    def standing(self, row: Any) -> str:
        return "Erased" if row.finished_at else "Under way" if row.begun_at else "Waiting"
