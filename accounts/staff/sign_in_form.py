"""Forms by which staff prove who they are: signing in, and once more before what is grave."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.authentication.caller import CallerContext
from accounts.models import User
from accounts.staff import services as one_time_codes
from vibe.core.admin.sudo_mode import PasswordConfirmationForm
from vibe.core.http.context import context_of

CODE = "otp_token"
WRONG_CODE = "The one-time code is wrong or was used. Wait for the next one."
NO_DEVICE = (
    "The password is right, but this account has no one-time codes yet. Ask whoever runs the service for: "
    "manage.py add_one_time_code"
)


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # from a package without types
    """Sign-in form that checks the code only after a correct password. A wrong code counts as a failed sign-in."""

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        if one_time_codes.required():
            self.fields[CODE] = code_field()

    def confirm_login_allowed(self, user: User) -> None:
        """Raise ValidationError for an inactive account, and for a code that is wrong, used or missing."""
        super().confirm_login_allowed(user)
        if one_time_codes.required():
            require_code(self, self.request, user)
            context_of(self.request, CallerContext).one_time_code_given = True


class ConfirmationForm(PasswordConfirmationForm):
    """Confirmation that takes what signing in takes: the password, and a one-time code if required."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        if one_time_codes.required():
            self.fields[CODE] = code_field()

    def clean(self) -> None:
        """Check the code only after a correct password, so that a wrong password does not use it up."""
        if not self.errors and one_time_codes.required():
            require_code(self, self.request, self.request.user)  # type: ignore[arg-type]
        super().clean()


def code_field() -> forms.CharField:
    """Return the field of a one-time code."""
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"})
    return forms.CharField(label="One-time code", max_length=6, widget=widget)


def require_code(form: forms.Form, request: HttpRequest, user: User) -> None:
    """Count a wrong code as a failed sign-in. Raises ValidationError for one that is wrong, used or missing."""
    if not one_time_codes.code_is_valid(user, form.cleaned_data.get(CODE, "")):
        user_login_failed.send(sender=type(form), credentials={"username": user.get_username()}, request=request)
        raise forms.ValidationError(WRONG_CODE if one_time_codes.has_device(user) else NO_DEVICE)
