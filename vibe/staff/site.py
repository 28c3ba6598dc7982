"""The admin site of staff."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from unfold.sites import UnfoldAdminSite

from accounts.authentication.caller import CallerContext
from accounts.staff.account_forms import OwnPasswordForm
from accounts.staff.services import has_given_code, record_account_changed
from accounts.staff.sign_in_form import ConfirmationForm, SignInForm
from audit.context import AuditContext
from audit.middleware import actor_of, no_personal_data
from vibe.core.admin.sudo_mode import asks_for_no_password, asks_when_shown, with_recent_password
from vibe.core.http.context import context_of


class OwnPasswordView(PasswordChangeView):
    """Django's page for one's own password, recorded."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Save the password, and record that it was changed."""
        actor = actor_of(self.request, context_of(self.request, AuditContext).origin)
        record_account_changed(staff_id=form.user.pk, fields=["password"], actor=actor)
        return super().form_valid(form)


class StaffSite(UnfoldAdminSite):
    """Unfold's site with our home page, and passwords saved in the scope of staff accounts."""

    index_title = "Home"
    index_template = "vibe/admin/home.html"
    login_template = "vibe/admin/login.html"
    login_form = SignInForm
    confirmation_form = ConfirmationForm
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user is signed in as staff, with a one-time code where one is required."""
        return bool(super().has_permission(request)) and has_given_code(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Return a view for signed-in staff, whose forms ask for the password again unless they are marked."""
        return super().admin_view(with_recent_password(view, self), cacheable)

    def get_urls(self) -> list[Any]:
        from accounts.admin.people import UserAdmin  # noqa: PLC0415  # the models must be there
        from vibe.staff import (  # noqa: PLC0415
            content_pages,
            health_page,
            one_time_codes,
            queues_page,
            timeline,
            why_pages,
        )

        UserAdmin.timeline = staticmethod(timeline.timeline)
        page = self.admin_view
        here = {"site": self}
        return [
            path("one-time-codes/", page(one_time_codes.overview), name="one_time_codes"),
            path("one-time-codes/app/", page(one_time_codes.add_device), name="add_one_time_device"),
            path("one-time-codes/recovery/", page(one_time_codes.make_recovery_codes), name="make_recovery_codes"),
            path("queues/", page(queues_page.queues), here, name="queues"),
            path("queues/<str:task>/retry/", page(queues_page.retry_all), here, name="retry_failed_jobs"),
            path("health/", page(health_page.database_health), here, name="database_health"),
            path("why/<uuid:user_id>/", page(why_pages.why_not_found), here, name="why_not_found"),
            path("content/<uuid:user_id>/question/", page(why_pages.why_asked), here, name="why_asked"),
            path("content/<uuid:user_id>/", page(content_pages.overview), here, name="person_content"),
            path("content/<uuid:user_id>/facts/", page(content_pages.facts), here, name="person_facts"),
            path(
                "content/<uuid:user_id>/<uuid:conversation_id>/",
                page(content_pages.reading),
                here,
                name="conversation_content",
            ),
            *super().get_urls(),
        ]

    @no_personal_data
    def i18n_javascript(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """Return translations for scripts. Every page loads them; they hold no personal data."""
        return super().i18n_javascript(request, extra_context)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sign in. Whoever had to take a recovery code sees next how many are left, and where an app is added."""
        answer = super().login(request, extra_context)
        if isinstance(answer, HttpResponseRedirect) and context_of(request, CallerContext).recovery_code_given:
            messages.warning(request, "You signed in without your app. If it is lost or new, add one now.")
            return HttpResponseRedirect(reverse("admin:one_time_codes"))
        return answer

    @asks_for_no_password
    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """End the session."""
        return super().logout(request, extra_context)

    @asks_when_shown
    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """Change one's own password."""
        request.current_app = self.name  # type: ignore[attr-defined]
        view = OwnPasswordView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse(f"{self.name}:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
            template_name=self.password_change_template or "registration/password_change_form.html",
        )
        return view(request)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> HttpResponse:
        """Redirect to the home page. Django's list of an app's tables has other names than the sidebar."""
        return HttpResponseRedirect(reverse(f"{self.name}:index"))

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show what a term names. Unfold's own searches names of pages, and keeps what was typed in the cache."""
        from vibe.staff import global_search  # noqa: PLC0415  # the models must be there

        return global_search.search(request, site=self)
