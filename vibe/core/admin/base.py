"""The base of the admin: read-only lists and pages of metadata that load no column that support may not read.

Requests under /admin/ run as `vibe_support`, and the database refuses it sealed columns whatever this file does.
This module keeps pages from selecting any, so that staff get a page and not an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.checks import CheckMessage, Error
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.http import urlencode
from unfold.admin import ModelAdmin
from unfold.checks import UnfoldModelAdminChecks
from unfold.views import ChangeList

from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, NoLongerPossible
from vibe.core.admin.date_hierarchy import Choice, Drill
from vibe.core.admin.filters import ValueFilter, is_uuid, value_filter
from vibe.core.admin.links import list_url, page_url, short_id
from vibe.core.admin.ordering import Before, indexed_fields, position_key
from vibe.core.admin.paging import WINDOW, WindowPaginator
from vibe.core.admin.readable_columns import readable_fields, readable_rows
from vibe.core.admin.related_records import Related, related_rows
from vibe.core.admin.sudo_mode import asks_for_no_password, note_not_confirmed, password_is_recent
from vibe.core.errors import VibeError
from vibe.core.http.context import RequestContext, context_of
from vibe.core.http.error_pages import error_page

# The lookups that a URL may filter by. No patterns: they would let values be guessed letter by letter.
LOOKUPS = frozenset({"exact", "isnull", "isempty", "gte", "lt", "year", "month", "day"})


class MetadataChecks(UnfoldModelAdminChecks):
    """Django's checks of an admin, and one that it shows no column that support may not read."""

    def check(self, admin_obj: Any, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(admin_obj, **kwargs), *unreadable_fields(admin_obj)]


def unreadable_fields(admin_obj: MetadataAdmin) -> Iterator[CheckMessage]:
    """Yield an error for each field shown that cannot be read or would load a whole other row."""
    allowed = admin_obj.readable()
    for name in dict.fromkeys((*admin_obj.list_display, *admin_obj.fields)):
        try:
            field = admin_obj.model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if field.is_relation or name not in allowed:
            yield Error(
                f"{type(admin_obj).__name__} shows {name}, which support may not read or which loads another row.",
                hint="Take it off, or show a link made of its id.",
                obj=type(admin_obj),
                id="vibe.E010",
            )


class MetadataChangeList(ChangeList):
    """A list that filters dates by UUIDv7 and completes its rows a page at a time."""

    result_list: Any
    page_num: int
    beyond: int | None = None  # the number of a page that was asked for and does not exist

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.query_strings: dict[str, str] = {}
        super().__init__(*args, **kwargs)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> models.QuerySet[Any]:
        if self.model_admin.happened and self.owner_chosen:
            self.date_hierarchy = self.model_admin.happened
        rows: models.QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        span = self.drill.ids()
        if span and self.date_hierarchy == "created_at":
            rows = rows.filter(pk__gte=span[0], pk__lt=span[1])
        return rows

    def get_results(self, request: HttpRequest) -> None:
        """Read the page before its rows are counted: where the first page holds them all, that is their number.

        So a filter that no index serves looks through the rows once and not three times.
        """
        self.paginator = paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        rows = list(self.queryset[: self.list_per_page + 1]) if self.page_num == 1 else []
        if self.page_num == 1 and len(rows) <= self.list_per_page:
            paginator.count = len(rows)
        last = paginator.num_pages
        if not 1 <= self.page_num <= last:
            self.beyond, self.page_num = self.page_num, last
        elif self.page_num > 1:
            rows = list(paginator.page(self.page_num).object_list)
        self.result_list = rows[: self.list_per_page]
        self.model_admin.complete(self.result_list)
        self.result_count = self.full_result_count = paginator.count
        self.multi_page = paginator.count > self.list_per_page
        self.can_show_all = self.show_full_result_count = False
        self.show_admin_actions = True

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Return each link's query once: the theme asks for those of the head of the table again with each row."""
        asked = repr((new_params, remove))
        if asked not in self.query_strings:
            self.query_strings[asked] = super().get_query_string(new_params, remove)
        return self.query_strings[asked]

    def get_ordering_field(self, field_name: Any) -> Any:
        """Return None where sorting could not use an index: no link leads there, but a URL could."""
        field = super().get_ordering_field(field_name)
        if field_name not in self.sortable_by:
            return None
        return "pk" if field == self.date_hierarchy == "created_at" else field  # a UUIDv7 begins with its time

    @property
    def further(self) -> str:
        """Return the link to the rows after this page; empty at the end or in another order."""
        at_the_end = self.paginator.count < WINDOW and self.page_num * self.list_per_page >= self.paginator.count
        if at_the_end or not self.result_list or "o" in self.params:
            return ""
        key = position_key(self.result_list[-1], tuple(self.model_admin.ordering))
        return str(self.get_query_string({Before.parameter_name: key}, remove=["p"]))

    @property
    def newest(self) -> str:
        """Return the link back to the first page; empty there."""
        gone_on = Before.parameter_name in self.params
        return str(self.get_query_string(remove=["p", Before.parameter_name])) if gone_on else ""

    @property
    def narrowed(self) -> bool:
        """Return whether rows are filtered out, other than by the filter of the sidebar's parts of a table."""
        chosen = set(self.get_filters_params()) - {self.model_admin.parted_by}
        return bool(self.query or self.drill.year or chosen)

    @property
    def called(self) -> str:
        """Return what the rows are called, or those of this part of the table."""
        name = self.model_admin.title_of_list(self.request_part)
        return name if name[:2].isupper() else name.lower()

    @property
    def request_part(self) -> str:
        """Return which part of the table this is."""
        return str(self.get_filters_params().get(self.model_admin.parted_by, [""])[0])

    @property
    def drill(self) -> Drill:
        """Return the dates that this list is narrowed to."""
        return Drill.of(self.date_hierarchy, self.params) if self.date_hierarchy else Drill()

    @property
    def dates(self) -> dict[str, Any]:
        """Return the links to narrower dates, and back."""
        name = None if self.query else self.date_hierarchy
        if not name:
            return {}
        rows = self.root_queryset.order_by(*self.model_admin.oldest_first)
        if name == self.model_admin.happened:  # an index leads to the rows of one person
            rows = self.root_queryset.filter(user_id=self.owner_chosen).order_by(name)
        oldest = rows.values_list(name, flat=True).first()
        if not oldest:
            return {}
        steps: list[Choice] = [
            step.choice(name, self.get_query_string) for step in self.drill.steps(oldest.date(), timezone.now().date())
        ]
        back = self.drill.up().choice(name, self.get_query_string) if self.drill.year else None
        title = f" {self.opts.get_field(name).verbose_name}".removesuffix(" at").strip().capitalize() or "When"
        return {"title": title, "here": str(self.drill), "steps": steps, "back": back}

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Return what a form above the list sends along: what it is narrowed to, but for the days."""
        return [(name, value) for name, value in self.params.items() if name not in ("from", "to", "p")]

    @property
    def presets(self) -> list[dict[str, Any]]:
        """Return the choices of the filter that stands above the list, as Django describes them."""
        by = self.model_admin.presets_by
        return [
            choice
            for spec in self.filter_specs
            if by and getattr(spec, "parameter_name", "") == by
            for choice in spec.choices(self)
        ]

    @property
    def csv_link(self) -> str:
        """Return the link to the list as a file."""
        return f"csv/{self.get_query_string(remove=['p'])}"

    @property
    def owner_chosen(self) -> str:
        """Return the id of the person whose rows these are, if the list is one person's."""
        chosen = str(self.params.get("user", ""))
        return chosen if is_uuid(chosen) else ""


class MetadataAdmin(ModelAdmin):
    """Read-only pages of one table. It loads the columns that `Privileges` grant; subclasses define what is shown."""

    fields: ClassVar[tuple[str, ...]] = ()
    list_display: ClassVar[tuple[str, ...]] = ()
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    oldest_first: ClassVar[tuple[str, ...]] = ("pk",)
    narrowed_by: ClassVar[tuple[str, ...]] = ()  # columns that links from other pages filter by
    sorted_by: ClassVar[frozenset[Any]] = frozenset()  # expressions that an index begins with
    owner: ClassVar[str] = ""  # the attribute that holds the owner's id
    happened: ClassVar[str] = ""  # when it happened: the dates above the list of one person's rows
    list_name: ClassVar[str] = ""  # what the sidebar calls the list, where that is not the plural of the model
    whole: ClassVar[bool] = False  # a table of Django or procrastinate, which support may read whole
    empty_hint: ClassVar[str] = ""
    parted_by: ClassVar[str] = ""  # the filter by which the sidebar lists the table in parts, and what these are called
    parts: ClassVar[tuple[tuple[str, str], ...]] = ()
    deeds: ClassVar[tuple[ConfirmedAction, ...]] = ()
    paginator = WindowPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    preserve_filters = False  # the way back from a row is the whole list, and no link repeats what was searched for
    list_per_page = 50
    list_max_show_all = 0
    has_range: ClassVar[bool] = False  # a form above the list sets its days, and leads to it as a file, at csv/
    presets_by: ClassVar[str] = ""  # the filter whose choices stand above the list too
    actions = None
    checks_class = MetadataChecks
    change_list_template = "vibe/admin/change_list.html"
    change_form_template = "vibe/admin/change_form.html"

    # Permissions: view only.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    # What is loaded.

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset(request)
        return rows if self.whole else readable_rows(rows)

    def readable(self) -> tuple[str, ...]:
        """Return the names of the fields that support may read."""
        return tuple(field.name for field in self.opts.concrete_fields) if self.whole else readable_fields(self.model)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.fields)

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return (*(value_filter(self.model, name) for name in self.narrowed_by), Before, *self.list_filter)

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """Return the columns that an index begins with; for the rows of one person, all."""
        columns = [name for name in self.get_list_display(request) if isinstance(name, str)]
        if any(request.GET.get(name) for name in self.narrowed_by):
            return columns
        able: frozenset[Any] = (
            self.sorted_by
            | indexed_fields(self.model)
            | ({"created_at"} if self.date_hierarchy == "created_at" else set())
        )
        return [name for name in columns if getattr(getattr(self, name, None), "admin_order_field", name) in able]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        name, *rest = lookup.split("__")
        own = {Before.parameter_name} | {
            part for item in self.list_filter if (part := getattr(item, "parameter_name", None))
        }
        if name in own and not rest:
            return True
        if name not in self.readable() or not LOOKUPS.issuperset(rest):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return (queryset.filter(self.found(term)) if "\x00" not in term else queryset.none()), False

    def found(self, term: str) -> models.Q:
        """Return the condition for rows that match a search term. It uses indexes only."""
        return models.Q(pk=term) if is_uuid(term) else models.Q(pk__in=())

    def complete(self, rows: list[Any]) -> None:
        """Attach to the rows of one page what takes a query for all of them together."""

    def complete_page(self, row: Any) -> None:
        """Attach to the row of a page what takes a query. While rendering, a column is read several times."""
        self.complete([row])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[MetadataChangeList]:
        return MetadataChangeList

    # What the audit log records.

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        subject = request.GET.get(self.owner.removesuffix("_id"), "") if self.owner else ""
        note_viewed(request, self.model._meta.db_table, UUID(subject) if is_uuid(subject) else None)
        title = self.title_of_list(request.GET.get(self.parted_by, ""))
        self.note_path(request, title)
        shown = {"title": title, "empty_hint": self.empty_hint, **(extra_context or {})}
        answer = super().changelist_view(request, shown)
        if answer.status_code == HTTPStatus.FOUND and answer.headers["Location"].endswith("?e=1"):
            self.message_user(request, "A filter in the address cannot be read. It was left out.", messages.WARNING)
        return answer

    # What lists and rows are called.

    def title_of_list(self, part: str = "") -> str:
        """Return the name of the list, as the sidebar has it, or that of a part of it."""
        name = self.list_name or str(self.opts.verbose_name_plural)
        return str(dict(self.parts).get(part) or name[:1].upper() + name[1:])

    def part_of(self, row: Any) -> str:
        """Return the part of the table that a row is in."""
        return ""

    def title_of(self, row: Any) -> str:
        """Return a name that a row is known by: whose it is, and when it was. Never content."""
        name = str(self.opts.verbose_name)
        when = getattr(row, self.happened or "created_at", None)
        return f"{name[:1].upper()}{name[1:]} {short_id(row.pk)}" + (f", {localize(when)}" if when else "")

    def note_path(self, request: HttpRequest, title: str, *further: str, part: str = "") -> None:
        """Set what the head of the page says: the list, and what is below it."""
        link = list_url(self.model, **({self.parted_by: part} if part else {}))
        request.path_of_page = [{"title": title, "link": link}, *({"title": each} for each in further)]  # type: ignore[attr-defined]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        resource = f"{self.model._meta.db_table}/{object_id}"[:500]
        note_viewed(request, resource)
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            note_viewed(request, resource, getattr(row, self.owner, None) if self.owner else None)
        return row

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Redirect to the entries of the row in the audit log."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        note_viewed(request, f"{self.model._meta.db_table}/{object_id}"[:500])
        return HttpResponseRedirect(audit_log_url(resource=f"{self.model._meta.db_table}/{object_id}"))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if row := context.get("original"):
            self.complete_page(row)
            context["buttons"] = self.buttons(request, row)
            further = [each for each in self.related(row) if not each.needs or request.user.has_perm(each.needs)]
            context["related"] = [*related_rows(self.admin_site, request, row), *further]
            context["subtitle"] = self.title_of(row)
            part = self.part_of(row)
            context["title"] = self.title_of_list(part)
            self.note_path(request, context["title"], context["subtitle"], part=part)
        return super().render_change_form(request, context, *args, **kwargs)

    # Actions: see vibe.core.admin.confirmed_actions.

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.deed_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        return [path("<path:object_id>/do/<slug:name>/", view, name=name), *super().get_urls()]

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """Return the buttons for what this member of staff can do with a row now."""
        return [
            Button(deed.title, self.deed_url(row, deed), deed.grave)
            for deed in self.deeds
            if deed.offered(request, row)
        ]

    def deed_url(self, row: Any, deed: ConfirmedAction) -> str:
        """Return the URL of the page that confirms an action."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_do", args=[row.pk, deed.name])

    @asks_for_no_password
    def deed_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Show the confirmation page on GET; run the action on POST, after the password where it asks for that."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        deed = next((each for each in self.deeds if each.name == name), None)
        row = self.get_object(request, unquote(object_id)) if deed else None
        if deed is None or row is None:
            raise Http404("There is nothing to do here.")
        if not self.has_view_permission(request, row) or not deed.allowed(request, row):
            raise PermissionDenied
        back = page_url(self.model, row.pk)
        if not deed.possible(request, row):
            return error_page(NoLongerPossible(), back)
        sent = request.POST if request.method == "POST" else None
        form = deed.form(sent) if deed.form else None
        asking = deed.sudo and not password_is_recent(request)
        confirmation = cast(Any, self.admin_site).confirmation_form(request, sent) if asking else None
        forms = [each for each in (form, confirmation) if each is not None]
        if sent is not None and confirmation is not None and not confirmation.is_valid():
            note_not_confirmed(request)
        if sent is None or not all(each.is_valid() for each in forms):
            context = {
                **self.admin_site.each_context(request),
                "form": [field for each in forms for field in each],
                "error": " ".join(str(error) for each in forms for error in each.non_field_errors()),
                "title": deed.title,
                "button": deed.title,
                "question": deed.question,
                "grave": deed.grave,
                "back": back,
                "facts": self.facts(row),
            }
            return TemplateResponse(request, "vibe/admin/confirm.html", context)
        try:
            message = deed.run(request, row, **(form.cleaned_data if form else {}))
        except VibeError as problem:
            return error_page(problem, back)
        if isinstance(message, HttpResponse):
            return message
        self.message_user(request, message)
        return HttpResponseRedirect(back)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        """Return what the confirmation page shows of a row."""
        return [(str(self.opts.verbose_name).capitalize(), row.pk)]

    def related(self, row: Any) -> list[Related]:
        """Return links to further pages that belong to a row."""
        return [audit_log_link("Audit log", resource=f"{row._meta.db_table}/{row.pk}")]


def note_viewed(request: HttpRequest, resource: str, subject: Any = None) -> None:
    """Set on the audit log's entry what this request looks at, and whose it is."""
    entry = context_of(request, RequestContext).entry
    entry.resource, entry.subject = resource, subject


def show_once(request: HttpRequest, **shown: Any) -> HttpResponse:
    """Return a page with a secret among its `facts`. Neither caches nor browsers keep it."""
    context = {**admin.site.each_context(request), **shown}
    headers = {"Cache-Control": "no-store, private"}
    return TemplateResponse(request, "vibe/admin/confirm.html", context, headers=headers)


def note_exported(request: HttpRequest, count: int) -> None:
    """Set on the audit log's entry that this request gave rows as a file, and how many."""
    entry = context_of(request, RequestContext).entry
    entry.action = "audit.export"
    entry.details.update(format="csv", rows=count, query=sorted(request.GET))


def audit_log_url(**matching: Any) -> str:
    """Return the URL of the audit log, filtered."""
    return f"{reverse('admin:audit_auditlog_changelist')}?{urlencode(matching)}"


def audit_log_link(title: str, **matching: Any) -> Related:
    """Return a link to the audit log, filtered, for staff with the permission to read it."""
    return Related(title, audit_log_url(**matching), needs="audit.view_auditlog")


__all__ = ["MetadataAdmin", "Related", "ValueFilter", "audit_log_link", "note_viewed", "show_once"]
