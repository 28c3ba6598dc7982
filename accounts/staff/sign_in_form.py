"""The sign-in form of staff: email, password, and a one-time code if required."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.signals import user_login_failed
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.authentication.caller import CallerContext
from accounts.models import User
from accounts.staff import services as one_time_codes
from vibe.core.http.context import context_of


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # from a package without types
    """Sign-in form that checks the code only after a correct password. A wrong code counts as a failed sign-in."""

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        if one_time_codes.required():
            self.fields["otp_token"] = forms.CharField(
                label="One-time code",
                max_length=6,
                widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
            )

    def confirm_login_allowed(self, user: User) -> None:
        """Raise ValidationError for an inactive account, and for a code that is wrong, used or missing."""
        super().confirm_login_allowed(user)
        if not one_time_codes.required():
            return
        if not one_time_codes.code_is_valid(user, self.cleaned_data.get("otp_token", "")):
            credentials = {"username": self.cleaned_data["username"]}
            user_login_failed.send(sender=type(self), credentials=credentials, request=self.request)
            raise forms.ValidationError("The one-time code is wrong or was used. Wait for the next one.")
        context_of(self.request, CallerContext).one_time_code_given = True
