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
from accounts.models.one_time_device import DIGITS, RECOVERY_DIGITS
from accounts.staff import services as one_time_codes
from vibe.core.admin.sudo_mode import PasswordConfirmationForm, PasswordForm
from vibe.core.http.context import context_of

CODE = "otp_token"
WRONG_CODE = "The one-time code is wrong or was used. Wait for the next one, or type a recovery code."
NO_DEVICE = (
    "The password is right, but this account has no one-time codes yet. Ask a superuser for a sign-in code; they make "
    "one on your page under Staff."
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


class DeviceForm(PasswordForm):
    """Form that adds an authenticator app. It carries the secret, wrapped, and takes the password each time."""

    device = forms.CharField(max_length=1000, widget=forms.HiddenInput)
    code = forms.CharField(
        label="The code that the app shows now",
        max_length=DIGITS + 1,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )
    field_order = ("device", "code", "password")

    def clean_code(self) -> str:
        """Return the code without the space that apps show in it."""
        return str(self.cleaned_data["code"]).replace(" ", "")


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
    length = RECOVERY_DIGITS + 8  # and spaces
    return forms.CharField(label="One-time code, or a recovery code", max_length=length, widget=widget)


def require_code(form: forms.Form, request: HttpRequest, user: User) -> None:
    """Count a wrong code as a failed sign-in. Raises ValidationError for one that is wrong, used or missing."""
    code = form.cleaned_data.get(CODE, "")
    if not one_time_codes.code_is_valid(user, code):
        user_login_failed.send(sender=type(form), credentials={"username": user.get_username()}, request=request)
        raise forms.ValidationError(WRONG_CODE if one_time_codes.has_device(user) else NO_DEVICE)
    if one_time_codes.recovery_code(code):
        context = context_of(request, CallerContext)
        context.entry.details["recovery_code"] = context.recovery_code_given = True
