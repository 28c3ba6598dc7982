"""Read-only admin of the audit log, which the database also protects from changes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.models import AuditCheckpoint, AuditLeaf, AuditLog, AuditPruning
from audit.proof.badge import AS_SEALED, CHANGED, NOT_YET, badges
from audit.reading.services import csv_cell
from audit.reading.words import KINDS, action_in_words
from vibe.core.admin.base import MetadataAdmin, Related, audit_log_link, note_exported, note_viewed
from vibe.core.admin.filters import is_uuid
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import list_url, page_link, short_id
from vibe.core.admin.times import to_the_second

OUTCOMES = {"Ok": "success", "Refused": "warning", "Failed": "danger"}
CSV_ROWS = 10_000


class Done(admin.SimpleListFilter):
    """What was done, of the rows of one person, actor or resource: an index leads to these, and none to an action."""

    title = "what was done"
    parameter_name = "done"

    def lookups(self, request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        self.is_narrowed = any(request.GET.get(name) for name in AuditLogAdmin.narrowed_by)
        return [(name, title) for name, (title, _) in KINDS.items()] if self.is_narrowed or self.value() else []

    def queryset(self, _request: Any, queryset: QuerySet[AuditLog]) -> QuerySet[AuditLog]:
        chosen = self.value()
        if not chosen:
            return queryset
        if chosen not in KINDS or not self.is_narrowed:
            raise IncorrectLookupParameters("Actions are listed of one person, actor or resource.")
        return queryset.filter(KINDS[chosen][1])


class Day(admin.SimpleListFilter):
    """A first or last day of UTC, set by the form above the list, and shown while it is set."""

    bound: Callable[[datetime], Q]

    def lookups(self, *_: Any) -> list[tuple[Any, str]]:
        return [(self.value(), str(self.value()))] if self.value() else []

    def queryset(self, _request: Any, queryset: QuerySet[AuditLog]) -> QuerySet[AuditLog]:
        if not self.value():
            return queryset
        try:
            begins = datetime.combine(date.fromisoformat(str(self.value())), time(), UTC)
            return queryset.filter(type(self).bound(begins))
        except (ValueError, OverflowError):
            raise IncorrectLookupParameters("That is no day.") from None


class FirstDay(Day):
    title, parameter_name = "from", "from"
    bound = staticmethod(lambda begins: Q(at__gte=begins))


class LastDay(Day):
    title, parameter_name = "to", "to"
    bound = staticmethod(lambda begins: Q(at__lt=begins + timedelta(days=1)))


@admin.register(AuditLog)
class AuditLogAdmin(MetadataAdmin):
    """The rows of the audit log, one per request and action, the newest first."""

    owner = "subject"
    list_name = "Audit log"
    ordering = ("-at", "-pk")
    oldest_first: ClassVar[tuple[str, ...]] = ("at", "pk")
    narrowed_by: ClassVar[tuple[str, ...]] = ("subject", "actor", "resource")
    list_display = ("when", "result", "done", "by", "whose", "proof", "what", "ip")
    list_filter = (Done, FirstDay, LastDay, "outcome", "actor_kind")
    has_range, presets_by = True, Done.parameter_name
    date_hierarchy = "at"
    search_fields = ("id",)
    search_help_text = "Id of a person, of staff or of a row; email of staff; or a resource, whole"
    fields = (
        *("id", "when", "result", "done", "action", "by", "whose", "resource", "reason", "proof"),
        *("ip", "user_agent", "request_id", "particulars"),
    )
    empty_hint = "Every request and every change that touches a person's data is recorded here."

    def found(self, term: str) -> Q:
        if is_uuid(term):
            return Q(pk=UUID(term)) | Q(subject=UUID(term)) | Q(actor=str(UUID(term)))
        if "@" in term:
            known = accounts().filter(Exact(Lower("email"), term.lower())).values_list("pk", flat=True).first()
            return Q(subject=known) | Q(actor=str(known)) if known else Q(pk__in=())
        return Q(resource=term)

    def title_of(self, row: AuditLog) -> str:
        return f"{action_in_words(row.action)}, {to_the_second(row.at)}"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.csv_view)
        return [path("csv/", view, name="audit_auditlog_csv"), *super().get_urls()]

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """Send the rows of the list as it is narrowed, the newest first, and record how many."""
        subject = request.GET.get("subject", "")
        note_viewed(request, "audit_logs", UUID(subject) if is_uuid(subject) else None)
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = list(self.get_changelist_instance(request).queryset[: CSV_ROWS + 1])
        except IncorrectLookupParameters:
            raise Http404("A filter in the address cannot be read.") from None
        self.complete(rows)
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = 'attachment; filename="audit-log.csv"'
        answer.headers["Cache-Control"] = "no-store, private"
        writer = csv.writer(answer)
        writer.writerow(["at", "outcome", "done", "by", "whose", "resource", "reason", "ip", "request", "id", "proof"])
        for row in rows[:CSV_ROWS]:
            writer.writerow([csv_cell(value) for value in self.csv_values(row)])
        if len(rows) > CSV_ROWS:
            writer.writerow(
                [f"There are more than {CSV_ROWS:,} rows. Narrow the dates, or use: manage.py export_audit"]
            )
        note_exported(request, min(len(rows), CSV_ROWS))
        return answer

    def csv_values(self, row: Any) -> list[Any]:
        """Return a row as it is shown, with whole ids."""
        names = [row.emails.get(UUID(pk)) or pk if is_uuid(pk) else pk for pk in (row.actor, str(row.subject or ""))]
        by = names[0] or row.get_actor_kind_display()
        return [
            *(row.at, row.get_outcome_display(), action_in_words(row.action), by, names[1], row.resource, row.reason),
            *(row.ip, row.request_id, row.pk, row.badge),
        ]

    def complete(self, rows: list[Any]) -> None:
        ids = {row.subject for row in rows if row.subject} | {UUID(row.actor) for row in rows if is_uuid(row.actor)}
        emails = dict(accounts().filter(pk__in=ids).order_by().values_list("pk", "email"))
        links = {pk: page_link(get_user_model(), pk, emails.get(pk) or "") for pk in ids}  # most rows name the same two
        found = badges(rows)
        for row in rows:
            row.emails, row.links, row.badge = emails, links, found[row.pk]

    def related(self, row: AuditLog) -> list[Related]:
        """Return links to rows of the same person, actor and resource."""
        about = [audit_log_link("Audit log: the same person's data", subject=row.subject)] if row.subject else []
        done = [audit_log_link("Audit log: the same actor", actor=row.actor)] if row.actor else []
        return [*about, *done, audit_log_link("Audit log: the same resource", resource=row.resource)]

    @admin.display(description="When", ordering="at")
    def when(self, row: AuditLog) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}</span>', to_the_second(row.at))

    @admin.display(description="What was done")
    def done(self, row: AuditLog) -> SafeString:
        return format_html('<span title="{}">{}</span>', row.action, action_in_words(row.action))

    @label_column("Proof", {AS_SEALED: "success", NOT_YET: "info", CHANGED: "danger"})
    def proof(self, row: Any) -> str:
        return str(row.badge)

    @admin.display(description="Resource")
    def what(self, row: AuditLog) -> str:
        return "/".join(short_id(UUID(part)) if is_uuid(part) else part for part in row.resource.split("/"))

    @label_column("Outcome", OUTCOMES)
    def result(self, row: AuditLog) -> str:
        return str(row.get_outcome_display())

    @admin.display(description="By")
    def by(self, row: Any) -> SafeString | str:
        if is_uuid(row.actor):
            return row.links[UUID(row.actor)]
        return row.actor or row.get_actor_kind_display()

    @admin.display(description="Whose data")
    def whose(self, row: Any) -> SafeString | str:
        return row.links[row.subject] if row.subject else "-"

    @admin.display(description="Details")
    def particulars(self, row: AuditLog) -> SafeString:
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', json.dumps(row.details, indent=2))


def accounts() -> QuerySet[Any]:
    """Return the accounts that still exist."""
    return get_user_model()._default_manager.all()


@admin.register(AuditLeaf)
class AuditLeafAdmin(MetadataAdmin):
    """The sealed order of the rows."""

    list_name = "Leaves"
    list_display = ("position", "row", "row_at", "digest")
    fields = ("position", "row", "row_at", "digest")
    search_fields = ("row_id",)
    search_help_text = "Id of a row of the audit log"
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
