"""Search from every page: an email, UID, id, external id, message id or request id leads to what it names.

All look-ups are by index. Each kind is searched for whoever may view its table, and for nobody else. As with the search
of a list, what was typed is in the address of the page, and neither in the log nor in the audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Erasure, User
from accounts.people.lookup import people_matching
from audit.models import AuditLog
from memories.admin import named
from memories.models import Conversation, Memory
from vibe.core.admin.base import MetadataAdmin, audit_log_url, note_viewed
from vibe.core.admin.filters import is_uuid
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.statements.batching import execute_batch
from vibe.core.http.context import RequestContext, context_of
from vibe.staff.findability import made_at

SHOWN: Final = 10
LONGEST: Final = 200  # characters: no id is longer
SLACK, LASTS = timedelta(seconds=1), timedelta(minutes=2)
"""When a request's rows are written, from when its id was made on."""
OF_AUDIT_LOG: Final = {"subject": "What was done with their data", "actor": "What they did"}


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was found, and its page."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind; `more` leads to the whole list, if there is more."""

    title: str
    rows: list[Found]
    more: str = ""


@require_safe
def search(request: HttpRequest, *, site: Any) -> HttpResponse:
    """Show what a term names, by kind."""
    note_viewed(request, "search")
    admins = {
        model: its
        for model, its in admin.site._registry.items()
        if isinstance(its, MetadataAdmin) and its.has_view_permission(request)
    }
    if not admins:
        raise PermissionDenied
    term = request.GET.get("q", "").strip()
    is_term = 0 < len(term) <= LONGEST and "\x00" not in term
    groups = list(_groups(request, admins, term)) if is_term else []
    context_of(request, RequestContext).entry.details["found"] = {each.title: len(each.rows) for each in groups}
    context = {**site.each_context(request), "title": "Search", "term": term, "groups": groups}
    return TemplateResponse(request, "vibe/admin/search.html", context)


def _groups(request: HttpRequest, admins: dict[Any, MetadataAdmin], term: str) -> Iterator[Group]:
    asked = [*_by_name(term), *(_by_id(admins, UUID(term)) if is_uuid(term) else ())]
    for model, condition in asked:
        its = admins.get(model)
        if its is None:
            continue
        # Not in the order of the list: its index would be read from the newest row on until enough match.
        rows = list(its.get_queryset(request).filter(condition).order_by()[: SHOWN + 1])
        if rows:
            more = list_url(model, q=term) if len(rows) > SHOWN else ""
            yield Group(its.title_of_list(), [_found(its, row) for row in rows[:SHOWN]], more)
    if AuditLog in admins and is_uuid(term):
        yield from _in_audit_log(UUID(term))


def _by_name(term: str) -> Iterator[tuple[type[models.Model], Q]]:
    """Yield which rows a term names, by table: emails and UIDs, external ids, message ids, request ids, numbers."""
    yield User, people_matching(term)
    yield Conversation, named(term)
    yield Memory, Q(message_ids__contains=[term])
    if is_uuid(term) and (request_id := UUID(term)).version == 7:
        began = made_at(request_id)
        yield AuditLog, Q(at__gte=began - SLACK, at__lt=began + LASTS, request_id=request_id.hex)
    if term.isdecimal() and len(term) < 19:
        yield ProcrastinateJob, Q(pk=int(term))


def _by_id(admins: dict[Any, MetadataAdmin], pk: UUID) -> list[tuple[type[models.Model], Q]]:
    """Return the tables that have a row of an id. All are asked in one round trip."""
    tables = [each for each in admins if isinstance(each._meta.pk, models.UUIDField) and each is not User]
    statements = [
        each._default_manager.filter(_id_of(each, pk)).order_by().values("pk")[:1].query.sql_with_params()
        for each in tables
    ]
    hits = execute_batch(*((text, values) for text, values in statements))
    return [(each, _id_of(each, pk)) for each, rows in zip(tables, hits, strict=True) if rows]


def _id_of(model: type[models.Model], pk: UUID) -> Q:
    return Q(pk=pk) | Q(person=pk) if model is Erasure else Q(pk=pk)


def _in_audit_log(pk: UUID) -> Iterator[Group]:
    """Yield links to what the audit log says of an account, which may be gone."""
    values = {"subject": pk, "actor": str(pk)}
    rows = AuditLog.objects.order_by("-at", "-pk").values("pk")
    statements = [rows.filter(**{name: value})[:1].query.sql_with_params() for name, value in values.items()]
    hits = execute_batch(*((text, given) for text, given in statements))
    links = [
        Found(OF_AUDIT_LOG[name], audit_log_url(**{name: pk})) for name, rows in zip(values, hits, strict=True) if rows
    ]
    if links:
        yield Group("In the audit log", links)


def _found(its: MetadataAdmin, row: Any) -> Found:
    kind = "Staff: " if getattr(row, "is_staff", False) else ""
    name = f" ({row.external_id})" if getattr(row, "external_id", "") else ""
    return Found(f"{kind}{its.title_of(row)}{name}", page_url(its.model, row.pk))
