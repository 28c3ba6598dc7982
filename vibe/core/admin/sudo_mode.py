"""Password confirmation before grave actions, unless the password was given a short while ago."""

from __future__ import annotations

import time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordWidget

SIGNED_IN, SEEN, CONFIRMED = "signed_in_at", "seen_at", "confirmed_at"


class PasswordConfirmationForm(forms.Form):
    """A form for the password of the signed-in user. A wrong one counts as a refused sign-in."""

    password = forms.CharField(
        label="Your password, again", strip=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"})
    )

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        self.request = request

    def clean_password(self) -> str:
        """Authenticate as signing in does, so that guesses are counted and blocked there."""
        password: str = self.cleaned_data["password"]
        user = self.request.user
        found = authenticate(self.request, username=user.get_username(), password=password)
        if found is None or found.pk != user.pk:
            raise forms.ValidationError("That is not your password.")
        self.request.session[CONFIRMED] = int(time.time())
        return ""


def password_is_recent(request: HttpRequest) -> bool:
    """Return whether the password was given within the last SUDO_MINUTES, here or by signing in."""
    latest = max(int(request.session.get(name, 0)) for name in (SIGNED_IN, CONFIRMED))
    return bool(0 <= time.time() - latest < settings.SUDO_MINUTES * 60)
