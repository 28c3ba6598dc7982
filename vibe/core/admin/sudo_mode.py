"""Sudo mode: what is grave asks for the password again, unless it was given a short while ago.

Every page of the admin asks before it takes a form; a view that need not is marked. So a page that is added later asks
too. A site that wraps its views with `with_recent_password` has a `confirmation_form`, a subclass of
`PasswordConfirmationForm`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminPasswordWidget

from vibe.core.http.context import RequestContext, context_of

SIGNED_IN, SEEN, CONFIRMED = "signed_in_at", "seen_at", "confirmed_at"
PREFIX = "confirm"  # of the fields of the question, among those of the form that it interrupts
LOOKING = ("GET", "HEAD", "OPTIONS", "TRACE")
View = TypeVar("View", bound=Callable[..., Any])


class PasswordForm(forms.Form):
    """A form for the password of the signed-in user. A wrong one counts as a refused sign-in."""

    password = forms.CharField(
        label="Your password, again", strip=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"})
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        """Authenticate as signing in does, so that guesses are counted and blocked there."""
        password: str = self.cleaned_data["password"]
        user = self.request.user
        found = authenticate(self.request, username=user.get_username(), password=password)
        if found is None or found.pk != user.pk:
            raise forms.ValidationError("That is not your password.")
        return ""


class PasswordConfirmationForm(PasswordForm):
    """The question of sudo mode. Its answer counts for SUDO_MINUTES."""

    def clean(self) -> None:
        """Begin the time for which this counts, and record that it was given."""
        if not self.errors:
            self.request.session[CONFIRMED] = int(time.time())
            context_of(self.request, RequestContext).entry.details["confirmed"] = True


def password_is_recent(request: HttpRequest) -> bool:
    """Return whether the password was given within the last SUDO_MINUTES, here or by signing in."""
    latest = max(int(request.session.get(name, 0)) for name in (SIGNED_IN, CONFIRMED))
    return bool(0 <= time.time() - latest < settings.SUDO_MINUTES * 60)


def asks_for_no_password(view: View) -> View:
    """Mark a view whose forms do nothing grave, or that asks by itself."""
    view.asks_for_no_password = True  # type: ignore[attr-defined]
    return view


def asks_when_shown(view: View) -> View:
    """Mark a page that is there for a grave action alone. It asks before it is filled in."""
    view.asks_when_shown = True  # type: ignore[attr-defined]
    return view


def with_recent_password(view: Callable[..., Any], site: Any) -> Callable[..., Any]:
    """Return the view behind the question for the password."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        looking = request.method in LOOKING and not getattr(view, "asks_when_shown", False)
        if looking or getattr(view, "asks_for_no_password", False) or password_is_recent(request):
            return view(request, *args, **kwargs)
        return _ask(request, site) or view(request, *args, **kwargs)

    return asked


def note_not_confirmed(request: HttpRequest) -> None:
    """Record a form that was sent without the password as refused: it answers with a page, and does nothing."""
    entry = context_of(request, RequestContext).entry
    entry.outcome, entry.reason = "refused", "password"


def _ask(request: HttpRequest, site: Any) -> HttpResponseBase | None:
    """Return the page that asks; None once it is answered, and there is a form to go on with."""
    answered = any(name.startswith(f"{PREFIX}-") for name in request.POST)
    form = site.confirmation_form(request, request.POST if answered else None, prefix=PREFIX)
    interrupted = list(_interrupted(request))
    if answered and form.is_valid():
        return None if interrupted else HttpResponseRedirect(request.get_full_path())
    if request.method not in LOOKING:
        note_not_confirmed(request)
    context = {
        **site.each_context(request),
        "form": form,
        "interrupted": [(name, value) for name, value in interrupted if "password" not in name],
        "title": "Your password, again",
        "button": "Continue",
        "question": f"This needs your password, given in the last {settings.SUDO_MINUTES} minutes. Nothing has been "
        "done yet.",
        "back": reverse(f"{site.name}:index"),
    }
    return TemplateResponse(request, "vibe/admin/confirm.html", context)


def _interrupted(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield the fields that were sent, but those of the question."""
    for name, values in request.POST.lists():
        if name != "csrfmiddlewaretoken" and not name.startswith(f"{PREFIX}-"):
            yield from ((name, str(value)) for value in values)
