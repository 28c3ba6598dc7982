"""Base admin for tables of people's rows: each row links to its person and can be searched by them."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.models import User
from accounts.people.lookup import ids_matching
from accounts.people.names import is_uuid
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import page_link, short_id
from vibe.core.admin.readable_columns import readable_rows

SHOWN = ("user__email", "user__firebase_uid")


def label_of(user: User) -> str:
    """Return the label of an account: email, Firebase UID or short id."""
    return account_label(user.email, user.firebase_uid, user.pk)


def account_label(email: str | None, firebase_uid: str | None, pk: UUID) -> str:
    """Return the same of an account whose row is not loaded."""
    return email or firebase_uid or short_id(pk)


class OwnedAdmin(MetadataAdmin):
    """Base admin that shows the metadata of people's rows."""

    owner = "user_id"
    narrowed_by: ClassVar[tuple[str, ...]] = ("user",)
    search_fields = ("id",)
    search_help_text = "Email (or how it begins), Firebase UID, id of the person, or id of the row"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return readable_rows(super().get_queryset(request).select_related("user"), also=SHOWN)

    def found(self, term: str) -> Q:
        if is_uuid(term):
            return Q(pk=UUID(term)) | Q(user_id=UUID(term))
        # Looked up first: a sub-select beside another condition makes PostgreSQL scan the whole table.
        return Q(user_id__in=list(ids_matching(term).values_list("pk", flat=True)))

    def title_of(self, row: Any) -> str:
        return f"{super().title_of(row)}, of {label_of(row.user)}"

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Person", label_of(row.user)), *super().facts(row)]

    @admin.display(description="Person")
    def person(self, row: Any) -> SafeString:
        return page_link(User, row.user_id, label_of(row.user))

    @admin.display(description="Id")
    def row_id(self, row: Any) -> str:
        return short_id(row.pk)
