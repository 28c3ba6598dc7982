"""The pages on which members of staff add their authenticator app, and make recovery codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import segno
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.grants import acting_staff
from accounts.models import OneTimeDevice, User
from accounts.staff import services as staff
from accounts.staff.sign_in_form import DeviceForm
from vibe.core.admin.base import note_viewed, show_once
from vibe.core.admin.confirmed_actions import Button
from vibe.core.admin.sudo_mode import PasswordForm, asks_when_shown
from vibe.core.errors import InputError
from vibe.core.http.error_pages import error_page

KEEP_THEM = (
    "Keep them where you keep passwords, and not on the telephone that has the app. Each signs you in once, in place "
    "of a one-time code. They are not shown again."
)


def overview(request: HttpRequest) -> HttpResponse:
    """Show whether the member of staff has an app, and how many recovery codes are left."""
    factor = staff.second_factor(_user(request))
    app = f"added {localize(factor.app_since)}" if factor.app_since else "none"
    facts: list[tuple[str, Any]] = [("Authenticator app", app)]
    links = [Button("Replace the app" if factor.app_since else "Add an app", reverse("admin:add_one_time_device"))]
    if factor.app_since:
        facts.append(("Recovery codes", f"{factor.recovery_codes} of {staff.RECOVERY_CODES} left"))
        links.append(Button("Make new recovery codes", reverse("admin:make_recovery_codes")))
    question = "Signing in takes your password and a one-time code, which an app on your telephone shows."
    if not staff.required():
        question = "This service asks for no one-time codes now (ONE_TIME_CODES). Codes that you add are kept."
    return _page(request, title="One-time codes", question=question, facts=facts, links=links)


@asks_when_shown
def add_device(request: HttpRequest) -> HttpResponse:
    """Show the secret of a new app, which counts once the form gives a code of it, with the password."""
    user = _user(request)
    sent = "device" in request.POST
    try:
        device = staff.read_form_token(user, request.POST["device"]) if sent else staff.new_device(user)
    except InputError as problem:
        return error_page(problem, reverse("admin:add_one_time_device"))
    token = {"device": staff.form_token(device)}
    form = DeviceForm(request, request.POST if sent else None, initial=token)
    if sent and form.is_valid():
        try:
            codes = staff.add_device(device=device, code=form.cleaned_data["code"], actor=acting_staff(request))
        except InputError as problem:
            form.add_error("code", str(problem))
        else:
            messages.success(request, "Your app works from now on. What you had before is void.")
            return _show_codes(request, codes)
    question = (
        "Scan this with an authenticator app, or type the secret into it. It counts once you give a code that the app "
        "shows; until then nothing changes. An app and recovery codes that you have now are void then."
    )
    return _page(
        request,
        title="Add an authenticator app",
        question=question,
        facts=[("QR code", _qr_code(staff.app_address(user, device))), ("Secret", _secret(device))],
        form=form,
        button="Add this app",
        back=reverse("admin:one_time_codes"),
    )


@asks_when_shown
def make_recovery_codes(request: HttpRequest) -> HttpResponse:
    """Ask for the password, and make new recovery codes."""
    sent = "password" in request.POST
    form = PasswordForm(request, request.POST if sent else None)
    back = reverse("admin:one_time_codes")
    if sent and form.is_valid():
        try:
            codes = staff.renew_recovery_codes(staff_id=_user(request).pk, actor=acting_staff(request))
        except InputError as problem:
            return error_page(problem, back)
        return _show_codes(request, codes)
    title = "Make new recovery codes"
    question = "You get ten new ones. Those that you have now are void then."
    return _page(request, title=title, question=question, form=form, button=title, back=back)


def _show_codes(request: HttpRequest, codes: Sequence[str]) -> HttpResponse:
    """Return the page that shows recovery codes, this once."""
    facts = [("Codes", format_html_join("", "<code>{}</code><br>", ((code,) for code in codes)))]
    back = reverse("admin:one_time_codes")
    return _page(request, title="Your recovery codes", question=KEEP_THEM, facts=facts, back=back)


def _page(request: HttpRequest, **shown: Any) -> HttpResponse:
    """Return a page that neither caches nor browsers keep."""
    note_viewed(request, staff.account_resource(_user(request).pk))
    return show_once(request, **{"back": reverse("admin:index"), **shown})


def _qr_code(text: str) -> SafeString:
    """Return a text as a picture. It is dark on light in either theme, or some cameras do not read it."""
    picture = segno.make(text, micro=False).svg_data_uri(scale=5, light="white")
    return format_html('<img src="{}" alt="The secret as a QR code" class="max-w-full">', picture)


def _secret(device: OneTimeDevice) -> SafeString:
    """Return the secret in groups of four, as it is typed in."""
    text = staff.secret_text(device)
    return format_html("<code>{}</code>", " ".join(text[start : start + 4] for start in range(0, len(text), 4)))


def _user(request: HttpRequest) -> User:
    """Return the signed-in member of staff. StaffSite lets nobody else come here."""
    user: User = request.user  # type: ignore[assignment]
    return user
