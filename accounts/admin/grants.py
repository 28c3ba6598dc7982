"""Access grants in the admin: requested on a person's page, decided and ended on the grant's own page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.owned import OwnedAdmin, label_of
from accounts.grants import services as grants
from accounts.grants.separation import APPROVE
from accounts.models import AccessGrant, User
from audit.context import AuditContext
from audit.middleware import actor_for
from vibe.core.admin.base import note_viewed
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, WhyForm
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import page_link, page_url
from vibe.core.admin.sudo_mode import asks_for_no_password
from vibe.core.errors import VibeError
from vibe.core.http.context import context_of
from vibe.core.http.error_pages import error_page

MOST_COUNTED = 100  # waiting requests
HOURS = (1, 4, 24, 72)  # for which access may be requested, where GRANT_LONGEST_HOURS allows it
WAITING, OPEN, REFUSED, ENDED = "Waiting", "Open", "Refused", "Ended"


def standing_of(grant: AccessGrant, now: datetime) -> str:
    """Return the state of a grant."""
    if grant.approved is None:
        return ENDED if grant.ended_at else WAITING
    if not grant.approved:
        return REFUSED
    return ENDED if grant.ended_at or not grant.expires_at or grant.expires_at <= now else OPEN


class Standing(admin.SimpleListFilter):
    """Filter of grants by state."""

    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("open", OPEN), ("waiting", WAITING), ("refused", REFUSED), ("ended", ENDED)]

    def queryset(self, _request: Any, queryset: models.QuerySet[AccessGrant]) -> models.QuerySet[AccessGrant]:
        now = timezone.now()
        conditions = {
            "open": Q(approved=True, ended_at=None, expires_at__gt=now),
            "waiting": Q(approved=None, ended_at=None),
            "refused": Q(approved=False),
            "ended": Q(ended_at__isnull=False) | Q(approved=True, expires_at__lte=now),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class AskForm(WhyForm):
    """Form for an access request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hours"] = forms.TypedChoiceField(
            label="For",
            choices=durations,
            coerce=int,
            widget=UnfoldAdminSelectWidget,
            help_text="From its approval on.",
        )


def durations() -> list[tuple[int, str]]:
    """Return how long access may be requested for: a few choices, up to the longest that is allowed."""
    most = int(grants.longest().total_seconds() // 3600)
    return [(hours, in_hours(timedelta(hours=hours))) for hours in sorted({*HOURS, most}) if hours <= most]


def in_hours(duration: timedelta) -> str:
    """Return a duration in words, which commands may have set to parts of an hour."""
    hours = duration.total_seconds() / 3600
    return f"{hours:.4g} hour{'' if hours == 1 else 's'}"


def acting_staff(request: HttpRequest) -> Any:
    """Return the signed-in member of staff as the actor for the audit log."""
    return actor_for(request.user, context_of(request, AuditContext).origin)


def approve(request: HttpRequest, row: AccessGrant) -> str:
    """Approve a request."""
    grants.decide_request(grant_id=row.pk, actor=acting_staff(request), approve=True)
    return "Access approved. It begins now."


def refuse(request: HttpRequest, row: AccessGrant) -> str:
    """Refuse a request."""
    grants.decide_request(grant_id=row.pk, actor=acting_staff(request), approve=False)
    return "Access refused."


def end(request: HttpRequest, row: AccessGrant) -> str:
    """End an approved grant."""
    grants.end_grant(grant_id=row.pk, actor=acting_staff(request))
    return "Access ended."


def withdraw(request: HttpRequest, row: AccessGrant) -> str:
    """Withdraw a request of one's own."""
    grants.end_grant(grant_id=row.pk, actor=acting_staff(request))
    return "Request withdrawn."


def may_decide(request: HttpRequest, row: AccessGrant) -> bool:
    """Return whether the signed-in member of staff may decide on a request."""
    return grants.may_decide(request.user, row)  # type: ignore[arg-type]


def may_end(request: HttpRequest, row: AccessGrant) -> bool:
    """Return whether the signed-in member of staff may end a grant."""
    return grants.may_end(request.user, row)  # type: ignore[arg-type]


def asked_for_it(request: HttpRequest, row: AccessGrant) -> bool:
    """Return whether the signed-in member of staff made this request."""
    return row.requested_by == request.user.pk and may_end(request, row)


def requires_state(*states: str) -> Any:
    """Return a check that a grant is in one of these states."""
    return lambda _request, row: standing_of(row, timezone.now()) in states


@admin.register(AccessGrant)
class AccessGrantAdmin(OwnedAdmin):
    """Access grants: requester, person, approver, reason and expiry."""

    list_display = ("row_id", "person", "asked_by", "ticket", "standing", "is_sole", "requested_at", "expires_at")
    list_filter = (Standing, "sole")
    date_hierarchy = "requested_at"
    fields = (
        *("id", "person", "standing", "asked_by", "reason", "ticket", "requested_at", "lasts"),
        *("answered_by", "is_sole", "decided_at", "expires_at", "closed_by", "ended_at"),
    )
    empty_hint = "No member of staff has requested access to anybody's content."
    deeds = (
        ConfirmedAction(
            "approve",
            "Approve access",
            "Whoever asked, named below, will be able to read everything this person has said, for the time below.",
            *(approve, may_decide, requires_state(WAITING)),
            sudo=True,
        ),
        ConfirmedAction(
            "refuse",
            "Refuse access",
            "Who asked gets no access. They may ask again.",
            refuse,
            may_decide,
            requires_state(WAITING),
            grave=True,
        ),
        ConfirmedAction(
            "withdraw",
            "Withdraw request",
            "Your request is taken back: nobody decides on it any more. You may ask again.",
            *(withdraw, asked_for_it, requires_state(WAITING)),
        ),
        ConfirmedAction(
            "end",
            "End access now",
            "From now on nothing can be read under this grant. Who needs more asks again.",
            *(end, may_end, requires_state(OPEN)),
        ),
    )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.ask_view)
        return [path("ask/<uuid:user_id>/", view, name="accounts_accessgrant_ask"), *super().get_urls()]

    @asks_for_no_password
    def ask_view(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Show the request form, and handle its submission."""
        note_viewed(request, f"users/{user_id}", user_id)
        person = User.objects.only("email", "firebase_uid").filter(pk=user_id, is_staff=False).first()
        if person is None or not self.has_view_permission(request):
            raise Http404("There is no such person.")
        if not grants.may_ask(request.user):  # type: ignore[arg-type]
            return error_page(grants.MayNotAsk(), page_url(User, user_id))
        form = AskForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                grant_id = grants.request_access(
                    user_id=user_id,
                    actor=acting_staff(request),
                    reason=form.cleaned_data["reason"],
                    ticket=form.cleaned_data["ticket"],
                    duration=timedelta(hours=form.cleaned_data["hours"]),
                )
            except VibeError as problem:
                return error_page(problem, page_url(User, user_id))
            self.message_user(request, "Request sent. An approver will decide.")
            return HttpResponseRedirect(page_url(AccessGrant, grant_id))
        context = {
            **self.admin_site.each_context(request),
            "title": "Request access",
            "button": "Send request",
            "form": form,
            "back": page_url(User, user_id),
            "facts": [("Person", label_of(person))],
        }
        return TemplateResponse(request, "vibe/admin/confirm.html", context)

    def facts(self, row: AccessGrant) -> list[tuple[str, Any]]:
        self.complete([row])
        return [
            ("Person", label_of(row.user)),
            ("Asked by", staff_link(row, row.requested_by)),
            ("Reason", row.reason),
            ("Ticket", row.ticket),
            ("For", in_hours(row.duration)),
        ]

    def buttons(self, request: HttpRequest, row: AccessGrant) -> list[Button]:
        own = row.requested_by == request.user.pk and standing_of(row, timezone.now()) == OPEN
        read = [Button("Read content", reverse("admin:person_content", args=[row.user_id]))] if own else []
        return [*read, *super().buttons(request, row)]

    def complete(self, rows: list[Any]) -> None:
        look_up_emails(rows, "requested_by", "decided_by", "ended_by")

    @label_column("State", {OPEN: "success", WAITING: "warning", REFUSED: "danger", ENDED: "info"})
    def standing(self, row: AccessGrant) -> str:
        return standing_of(row, timezone.now())

    @admin.display(description="Asked by")
    def asked_by(self, row: AccessGrant) -> SafeString | str:
        return staff_link(row, row.requested_by)

    @admin.display(description="For")
    def lasts(self, row: AccessGrant) -> str:
        return in_hours(row.duration)

    @admin.display(description="Decided by")
    def answered_by(self, row: AccessGrant) -> SafeString | str:
        return staff_link(row, row.decided_by)

    @admin.display(description="Sole approver", boolean=True)
    def is_sole(self, row: AccessGrant) -> bool:
        """Return whether who asked also approved, in a team of one."""
        return row.sole

    @admin.display(description="Ended by")
    def closed_by(self, row: AccessGrant) -> SafeString | str:
        return staff_link(row, row.ended_by)


def waiting_for(request: HttpRequest) -> int:
    """Return how many requests wait for this member of staff to decide; by index access_grants_waiting."""
    if not request.user.has_perm(APPROVE):
        return 0
    waiting = AccessGrant.objects.filter(approved=None, ended_at=None)
    own = Q() if settings.GRANTS_ALLOW_SELF_APPROVAL else ~Q(requested_by=request.user.pk)
    return waiting.filter(own).order_by()[:MOST_COUNTED].count()


def look_up_emails(rows: list[Any], *columns: str) -> None:
    """Attach to rows the emails of the accounts that these columns name."""
    wanted = {pk for row in rows for name in columns if (pk := getattr(row, name))}
    emails = dict(User.objects.filter(pk__in=wanted).order_by().values_list("pk", "email")) if wanted else {}
    for row in rows:
        row.emails = emails


def staff_link(row: Any, staff_id: UUID | None) -> SafeString | str:
    """Return a link to an account, labelled with the email where it was looked up."""
    return page_link(User, staff_id, getattr(row, "emails", {}).get(staff_id, "")) if staff_id else "-"


def content_button(request: HttpRequest, person: User) -> list[Button]:
    """Return the button of a person's page that reads content under a grant or requests one."""
    if person.is_staff or person.restricted_at or not grants.may_ask(request.user):  # type: ignore[arg-type]
        return []
    if grants.grant_in_force(person.pk, request.user):  # type: ignore[arg-type]
        return [Button("Read content", reverse("admin:person_content", args=[person.pk]))]
    return [Button("Request access", reverse("admin:accounts_accessgrant_ask", args=[person.pk]))]
