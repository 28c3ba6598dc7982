"""Admin of people, staff and their account tables: metadata of people, full editing of staff accounts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import models
from django.db.models import Count, Q, Value
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import exports_and_erasures, grants
from accounts.admin.api_keys import ApiKeyAdmin
from accounts.admin.owned import OwnedAdmin, label_of
from accounts.keys.services.data_keys import step
from accounts.models import User, UserKey, UserPreferences
from accounts.people.lookup import people_matching
from accounts.people.services import account_status as standing
from accounts.staff import services as staff_accounts
from accounts.staff.account_forms import NewStaffForm, StaffForm, StaffPasswordForm
from vibe.core.admin.base import MetadataAdmin, Related, audit_log_link, audit_log_url, note_viewed, show_once
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, WhyForm, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import LINK, list_url, page_url
from vibe.core.admin.sudo_mode import asks_when_shown
from vibe.core.db.scopes import as_staff

PERSON, STAFF, SUPERUSER = "Person", "Staff", "Superuser"
KINDS = (("person", "People"), ("staff", "Staff"), ("superuser", "Superusers"))


class Kind(admin.SimpleListFilter):
    """Filter that separates people from staff, and superusers from these."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return list(KINDS)

    def queryset(self, _request: Any, queryset: models.QuerySet[User]) -> models.QuerySet[User]:
        if self.value() == "superuser":
            return queryset.filter(is_staff=True, is_superuser=True)  # by index users_staff
        return queryset.filter(is_staff=self.value() == "staff") if self.value() else queryset


def deactivate(request: HttpRequest, row: User, **why: str) -> str:
    """Deactivate a person."""
    standing.set_active(user_id=row.pk, active=False, actor=grants.acting_staff(request), **why)
    return "Deactivated. The person cannot sign in."


def reactivate(request: HttpRequest, row: User, **why: str) -> str:
    """Reactivate a person."""
    standing.set_active(user_id=row.pk, active=True, actor=grants.acting_staff(request), **why)
    return "Reactivated. The person can sign in."


def restrict(request: HttpRequest, row: User, *, reason: str, ticket: str) -> str:
    """Restrict the processing of a person's data."""
    actor = grants.acting_staff(request)
    standing.set_restricted(user_id=row.pk, restricted=True, actor=actor, reason=reason, ticket=ticket)
    return "Processing restricted. What is stored stays; nothing is added, searched or built."


def lift_restriction(request: HttpRequest, row: User, *, reason: str, ticket: str) -> str:
    """Lift the restriction of a person's processing."""
    actor = grants.acting_staff(request)
    standing.set_restricted(user_id=row.pk, restricted=False, actor=actor, reason=reason, ticket=ticket)
    return "Restriction lifted. Jobs catch up with what waits."


def sign_out(request: HttpRequest, row: User) -> str:
    """Void every token of a person."""
    standing.revoke_tokens(user_id=row.pk, actor=grants.acting_staff(request))
    return "Signed out everywhere."


def give_sign_in_code(request: HttpRequest, row: User) -> HttpResponse:
    """Give a member of staff a code to sign in with, in place of an app, and show it."""
    code = staff_accounts.give_sign_in_code(staff_id=row.pk, actor=grants.acting_staff(request))
    return show_once(
        request,
        title="A sign-in code",
        question="Give it to them in person or by telephone, now: it is not shown again. It signs them in once, within "
        "a day, with their own password. Then they add an app, under One-time codes in their menu.",
        facts=[("Account", label_of(row)), ("Sign-in code", code)],
        back=page_url(User, row.pk),
    )


def is_a_colleague(request: HttpRequest, row: User) -> bool:
    """Return whether this is the account of another member of staff, and the viewer manages accounts."""
    return bool(request.user.is_superuser and row.is_staff and row.pk != request.user.pk)


@admin.register(User)
class UserAdmin(MetadataAdmin, DjangoUserAdmin[User]):  # type: ignore[misc]
    """All accounts. Those of people are read-only here; only superusers change staff accounts."""

    owner = "pk"
    counted: ClassVar[list[type[models.Model]]] = []  # tables to count by person; higher layers append theirs
    timeline: ClassVar[Callable[[HttpRequest, User], dict[str, Any]]]  # a higher layer sets it: it reads all tables
    list_display = (  # type: ignore[misc]
        *("account", "kind", "firebase_uid", "is_active", "email_verified"),
        *("created_at", "last_login"),
    )
    list_filter = (Kind, "is_active", "email_verified", ("restricted_at", admin.EmptyFieldListFilter))
    parted_by, parts = Kind.parameter_name, KINDS
    list_name = "Accounts"
    sorted_by = frozenset({Lower("email")})  # users_email_unique
    date_hierarchy = "created_at"
    search_fields = ("email",)
    search_help_text = "Email (or how it begins), Firebase UID (or how it begins), or id"
    empty_hint = "People appear with their first import or sign-in; staff are added here."
    fields = (
        *("id", "kind", "email", "email_verified", "firebase_uid", "is_active", "restricted_at"),
        *("last_login", "tokens_valid_since", "created_at", "updated_at"),
    )
    staff_fields = (
        *("id", "kind", "email", "password_link", "second_factor", "is_active", "is_superuser", "groups"),
        *("last_login", "created_at", "updated_at"),
    )
    add_fieldsets = ((None, {"fields": ("email", "groups", "password1", "password2")}),)
    form = StaffForm
    add_form = NewStaffForm
    add_form_template = MetadataAdmin.change_form_template
    change_password_form = StaffPasswordForm
    fieldsets = None
    filter_horizontal = ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = context.get("original")
        if row is not None and not row.is_staff:
            context["timeline"] = type(self).timeline(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return bool(request.user.is_superuser and (obj is None or obj.is_staff))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        return [(None, {"fields": self.staff_fields if obj.is_staff else self.fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        changeable = {"email", "is_active", "is_superuser", "groups"}
        if obj.pk == request.user.pk:
            changeable -= {"is_active", "is_superuser"}  # prevents locking oneself out
        return tuple(name for name in (*self.fields, *self.staff_fields) if name not in changeable)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = True
        with as_staff():
            super().save_model(request, obj, form, change)
        note_viewed(request, f"users/{obj.pk}", obj.pk)

    def save_related(self, *args: Any) -> None:
        with as_staff():
            super().save_related(*args)

    @asks_when_shown
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Add a member of staff."""
        self.note_path(request, self.title_of_list("staff"), "Add a member of staff", part="staff")
        return super().add_view(request, form_url, extra_context)

    @asks_when_shown
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set the password of another member of staff."""
        return super().user_change_password(request, id, form_url)

    # Django's admin calls these in the transaction of each addition and change, that of a password too.

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        staff_accounts.record_account_made(staff_id=obj.pk, actor=grants.acting_staff(request))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        if fields := [name for change in message for name in change.get("changed", {}).get("fields", ())]:
            staff_accounts.record_account_changed(staff_id=obj.pk, fields=fields, actor=grants.acting_staff(request))
        return super().log_change(request, obj, message)

    # What can be done

    deeds = (
        ConfirmedAction(
            "deactivate",
            "Deactivate this person",
            "This person cannot sign in from now on. Their data stays as it is. You can reactivate them later.",
            *(
                deactivate,
                requires_permission("accounts.change_user"),
                lambda _, row: not row.is_staff and row.is_active,
            ),
            grave=True,
            form=WhyForm,
        ),
        ConfirmedAction(
            "reactivate",
            "Reactivate this person",
            "This person can sign in again.",
            *(
                reactivate,
                requires_permission("accounts.change_user"),
                lambda _, row: not row.is_staff and not row.is_active,
            ),
            form=WhyForm,
        ),
        ConfirmedAction(
            "restrict",
            "Restrict processing",
            "What this person has said stays stored. Until the restriction is lifted nothing is added, searched or "
            "built, their companion gets an error that says so, and no staff read it. They can still "
            "read, export and erase it.",
            *(
                restrict,
                requires_permission("accounts.change_user"),
                lambda _, row: not row.is_staff and row.restricted_at is None,
            ),
            grave=True,
            form=WhyForm,
        ),
        ConfirmedAction(
            "lift-restriction",
            "Lift restriction",
            "What this person says is added, searched and built again, and what waits is caught up with by itself.",
            *(
                lift_restriction,
                requires_permission("accounts.change_user"),
                lambda _, row: not row.is_staff and row.restricted_at is not None,
            ),
            form=WhyForm,
        ),
        ConfirmedAction(
            "sign-out",
            "Sign out everywhere",
            "This person must sign in again in every app. API keys that act for them keep working.",
            *(sign_out, requires_permission("accounts.change_user"), lambda _, row: not row.is_staff),
        ),
        ConfirmedAction(
            "give-code",
            "Give a sign-in code",
            "For a new colleague, or one who lost the app and the recovery codes. You get a code with which they sign "
            "in, once. The app and the codes that they have now are void. Be sure that it is they who ask.",
            *(give_sign_in_code, is_a_colleague, lambda _, row: row.is_active),
            sudo=True,
        ),
        *exports_and_erasures.FOR_A_PERSON,
    )

    def buttons(self, request: HttpRequest, row: User) -> list[Button]:
        return [*grants.content_button(request, row), *case_buttons(request, row), *super().buttons(request, row)]

    def facts(self, row: User) -> list[tuple[str, Any]]:
        return [("Person", label_of(row))]

    # What is shown

    def found(self, term: str) -> Q:
        return people_matching(term)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        rows: models.QuerySet[User] = super().get_queryset(request)
        return rows.prefetch_related("groups") if of_staff(request) else rows

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        if of_staff(request):
            return ("account", "kind", "roles", "is_active", "created_at", "last_login")
        return (*self.list_display, *(count_column(model) for model in self.counted))

    def complete(self, rows: list[Any]) -> None:
        if all(row.is_staff for row in rows):
            return
        ids = [row.pk for row in rows]
        first, *others = (
            model._default_manager.filter(user_id__in=ids)
            .order_by()
            .values("user_id")
            .annotate(name=Value(count_name(model)), number=Count("pk"))
            .values_list("user_id", "name", "number")
            for model in self.counted
        )
        numbers = {(pk, name): number for pk, name, number in first.union(*others, all=True)}
        for row, model in product(rows, self.counted):
            setattr(row, count_name(model), numbers.get((row.pk, count_name(model)), 0))

    def complete_page(self, row: User) -> None:
        """Do nothing: the links to related tables carry the counts."""

    def related(self, row: User) -> list[Related]:
        about = [] if row.is_staff else [audit_log_link("Audit log: whose data this is", subject=row.pk)]
        done = audit_log_link("Audit log: done by them", actor=row.pk)
        return [*about, done, audit_log_link("Audit log: this account", resource=f"users/{row.pk}")]

    def title_of(self, row: User) -> str:
        return label_of(row)

    def part_of(self, row: User) -> str:
        return "staff" if row.is_staff else "person"

    @admin.display(description="Account", ordering=Lower("email"))
    def account(self, row: User) -> str:
        return label_of(row)

    @label_column("Kind", {PERSON: "info", STAFF: "warning", SUPERUSER: "danger"})
    def kind(self, row: User) -> str:
        return SUPERUSER if row.is_superuser else STAFF if row.is_staff else PERSON

    @admin.display(description="Roles")
    def roles(self, row: User) -> str:
        return ", ".join(sorted(group.name for group in row.groups.all())) or "none"

    @admin.display(description="Second factor")
    def second_factor(self, row: User) -> str:
        """Say what a member of staff gives besides the password."""
        factor = staff_accounts.second_factor(row)
        if factor.app_since:
            return f"an app, added {localize(factor.app_since)}; recovery codes left: {factor.recovery_codes}"
        if factor.recovery_codes:
            return "a sign-in code, once"
        return "nothing yet: give them a sign-in code" if staff_accounts.required() else "the password alone"

    @admin.display(description="Password")
    def password_link(self, row: User) -> SafeString:
        return format_html(LINK, reverse("admin:auth_user_password_change", args=[row.pk]), "Set a new password")


def of_staff(request: HttpRequest) -> bool:
    """Return whether the list is that of staff."""
    return request.GET.get(Kind.parameter_name) in ("staff", "superuser")


def case_buttons(request: HttpRequest, person: User) -> list[Button]:
    """Return the buttons of the pages that say why something was not found, and who read what is theirs."""
    if person.is_staff:
        return []
    why = Button("Why was it not found?", reverse("admin:why_not_found", args=[person.pk]))
    who = Button("Who read their data?", audit_log_url(subject=person.pk, done="content"))
    needed = ((why, "stories.view_story"), (who, "audit.view_auditlog"))
    return [button for button, permission in needed if request.user.has_perm(permission)]


def count_name(model: type[models.Model]) -> str:
    """Return the attribute of a person that holds the row count of a table."""
    return f"count_of_{model._meta.model_name}"


def count_column(model: type[models.Model]) -> Any:
    """Return a column with the row count of a table, linked to the list of rows."""

    @admin.display(description=str(model._meta.verbose_name_plural).capitalize())
    def column(row: User) -> SafeString | str:
        number = getattr(row, count_name(model), 0)
        return format_html(LINK, list_url(model, user=row.pk), f"{number:,}") if number else "0"

    return column


@admin.register(UserKey)
class UserKeyAdmin(OwnedAdmin):
    """Data keys: creation, number of values sealed, and destruction. Never the key."""

    list_name = "Data keys"
    list_display = ("row_id", "person", "generation", "standing", "values", "created_at", "destroyed_at")
    list_filter = (("destroyed_at", admin.EmptyFieldListFilter),)
    date_hierarchy = "created_at"
    fields = ("id", "person", "generation", "standing", "values", "created_at", "destroyed_at")
    empty_hint = "A data key is made together with its person."

    @label_column("State", {"In use": "success", "Destroyed": "danger"})
    def standing(self, row: UserKey) -> str:
        return "Destroyed" if row.destroyed_at else "In use"

    @admin.display(description="Sealed values")
    def values(self, row: UserKey) -> str:
        """Say how many values a key has sealed. They are counted by chance, in large steps: see data_keys."""
        return f"about {row.sealed:,}" if row.sealed else f"about {step():,} at most"


@admin.register(UserPreferences)
class UserPreferencesAdmin(OwnedAdmin):
    """Preferences of people: revision and times of change, without the content."""

    list_name = "Preferences"
    list_display = ("row_id", "person", "revision", "created_at", "updated_at")
    date_hierarchy = "created_at"
    fields = ("id", "person", "revision", "created_at", "updated_at")
    empty_hint = "A row appears when a person sets a preference."


__all__ = ["ApiKeyAdmin", "UserAdmin", "UserKeyAdmin", "UserPreferencesAdmin"]  # each registers itself
