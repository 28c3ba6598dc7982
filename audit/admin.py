"""Read-only admin of the audit log, which the database also protects from changes."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.models import AuditCheckpoint, AuditLeaf, AuditLog, AuditPruning
from vibe.core.admin.base import MetadataAdmin, Related, audit_log_link
from vibe.core.admin.filters import is_uuid
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import list_url, page_link, short_id
from vibe.core.admin.times import to_the_second

OUTCOMES = {"Ok": "success", "Refused": "warning", "Failed": "danger"}


@admin.register(AuditLog)
class AuditLogAdmin(MetadataAdmin):
    """The rows of the audit log, one per request and action, the newest first."""

    owner = "subject"
    list_name = "Audit log"
    ordering = ("-at", "-pk")
    oldest_first: ClassVar[tuple[str, ...]] = ("at", "pk")
    narrowed_by: ClassVar[tuple[str, ...]] = ("subject", "actor", "resource")
    list_display = ("when", "result", "action", "by", "whose", "what", "ip")
    list_filter = ("outcome", "actor_kind")
    date_hierarchy = "at"
    search_fields = ("id",)
    search_help_text = "Id of a person, a member of staff or a row of the trail; email of staff; or a resource, whole"
    fields = (
        *("id", "when", "result", "action", "by", "whose", "resource", "reason"),
        *("ip", "user_agent", "request_id", "particulars"),
    )
    empty_hint = "Whatever touches anybody's data is recorded here, page by page and verb by verb."

    def found(self, term: str) -> Q:
        if is_uuid(term):
            return Q(pk=UUID(term)) | Q(subject=UUID(term)) | Q(actor=str(UUID(term)))
        if "@" in term:
            known = accounts().filter(Exact(Lower("email"), term.lower())).values_list("pk", flat=True).first()
            return Q(subject=known) | Q(actor=str(known)) if known else Q(pk__in=())
        return Q(resource=term)

    def title_of(self, row: AuditLog) -> str:
        return f"{row.action}, {to_the_second(row.at)}"

    def complete(self, rows: list[Any]) -> None:
        ids = {row.subject for row in rows if row.subject} | {UUID(row.actor) for row in rows if is_uuid(row.actor)}
        emails = dict(accounts().filter(pk__in=ids).order_by().values_list("pk", "email"))
        for row in rows:
            row.emails = emails

    def related(self, row: AuditLog) -> list[Related]:
        """Return links to rows of the same person, actor and resource."""
        about = [audit_log_link("Trail: the same person's data", subject=row.subject)] if row.subject else []
        done = [audit_log_link("Trail: the same actor", actor=row.actor)] if row.actor else []
        return [*about, *done, audit_log_link("Trail: the same resource", resource=row.resource)]

    @admin.display(description="When", ordering="at")
    def when(self, row: AuditLog) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}</span>', to_the_second(row.at))

    @admin.display(description="Resource")
    def what(self, row: AuditLog) -> str:
        kind, _, pk = row.resource.rpartition("/")
        return f"{kind}/{short_id(UUID(pk))}" if is_uuid(pk) else row.resource

    @label_column("Outcome", OUTCOMES)
    def result(self, row: AuditLog) -> str:
        return str(row.get_outcome_display())

    @admin.display(description="By")
    def by(self, row: Any) -> SafeString | str:
        if is_uuid(row.actor):
            return account_link(row, UUID(row.actor))
        return row.actor or row.get_actor_kind_display()

    @admin.display(description="Whose data")
    def whose(self, row: Any) -> SafeString | str:
        return account_link(row, row.subject) if row.subject else "-"

    @admin.display(description="Details")
    def particulars(self, row: AuditLog) -> SafeString:
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', json.dumps(row.details, indent=2))


def accounts() -> QuerySet[Any]:
    """Return the accounts that still exist."""
    return get_user_model()._default_manager.all()


def account_link(row: Any, pk: UUID) -> SafeString:
    """Return a link to an account, with its email if the page has looked it up."""
    return page_link(get_user_model(), pk, getattr(row, "emails", {}).get(pk) or "")


@admin.register(AuditLeaf)
class AuditLeafAdmin(MetadataAdmin):
    """The sealed order of the rows."""

    list_name = "Leaves"
    list_display = ("position", "row", "row_at", "digest")
    fields = ("position", "row", "row_at", "digest")
    search_fields = ("row_id",)
    search_help_text = "Id of a row of the trail"
    empty_hint = "The sealer has not run yet."

    def found(self, term: str) -> Q:
        return (
            Q(row_id=term)
            if is_uuid(term)
            else Q(pk=int(term))
            if term.isdecimal() and len(term) < 19
            else Q(pk__in=())
        )

    def related(self, row: AuditLeaf) -> list[Related]:
        return [Related("Checkpoints", list_url(AuditCheckpoint))]

    @admin.display(description="Row")
    def row(self, leaf: AuditLeaf) -> SafeString:
        return page_link(AuditLog, leaf.row_id)

    @admin.display(description="Leaf hash")
    def digest(self, leaf: AuditLeaf) -> str:
        return bytes(leaf.leaf).hex()


@admin.register(AuditCheckpoint)
class AuditCheckpointAdmin(MetadataAdmin):
    """The signed chain of checkpoints."""

    list_name = "Checkpoints"
    list_display = ("number", "first", "count", "root_hash", "at")
    fields = ("number", "first", "count", "root_hash", "previous_hash", "at", "key", "row_format", "signed")
    empty_hint = "The sealer has not run yet."

    def related(self, row: AuditCheckpoint) -> list[Related]:
        return [Related("Leaves", list_url(AuditLeaf))]

    @admin.display(description="Root")
    def root_hash(self, row: AuditCheckpoint) -> str:
        return bytes(row.root).hex()

    @admin.display(description="Previous")
    def previous_hash(self, row: AuditCheckpoint) -> str:
        return bytes(row.previous).hex()

    @admin.display(description="Signing key")
    def key(self, row: AuditCheckpoint) -> str:
        return bytes(row.key_id).hex()

    @admin.display(description="Signature")
    def signed(self, row: AuditCheckpoint) -> str:
        return bytes(row.signature).hex()


@admin.register(AuditPruning)
class AuditPruningAdmin(MetadataAdmin):
    """Months whose rows were past their retention, each signed."""

    list_name = "Prunings"
    list_display = ("month", "count", "digest_of_rows", "at")
    fields = ("month", "count", "digest_of_rows", "at", "key", "signed")
    empty_hint = "No month is past its retention."

    @admin.display(description="Digest")
    def digest_of_rows(self, row: AuditPruning) -> str:
        return bytes(row.digest).hex()

    @admin.display(description="Signing key")
    def key(self, row: AuditPruning) -> str:
        return bytes(row.key_id).hex()

    @admin.display(description="Signature")
    def signed(self, row: AuditPruning) -> str:
        return bytes(row.signature).hex()
