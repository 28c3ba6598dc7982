"""Actions on a page of the admin: each is confirmed, and none is part of a bulk edit.

An action is offered as a button on the row's page. The button leads to a page that says what will happen; only the form
there, sent by POST, runs it. The service function behind it checks again, changes and records in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from vibe.core.errors import VibeError

Check = Callable[[HttpRequest, Any], bool]
Run = Callable[..., str | HttpResponse]


class NoLongerPossible(VibeError):
    message = "That cannot be done with it as it is now: somebody did it already, or something came between."
    code = "no-longer"
    status = 409


class WhyForm(forms.Form):
    """The reason and the ticket of what staff do to a person."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="It is recorded, and the person can read it. Do not quote what they said.",
    )
    ticket = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)


@dataclass(frozen=True)
class ConfirmedAction:
    """An action on a row. `run` returns the message that it was done, which holds ids only, or a page of its own.

    With a form, `run` takes the values of its fields as keyword arguments.
    """

    name: str
    title: str
    question: str
    run: Run
    allowed: Check  # whether this member of staff ever may
    possible: Check  # whether the row is in a state for it
    grave: bool = False
    sudo: bool = False  # asks for the password again first
    form: type[forms.Form] | None = None

    def offered(self, request: HttpRequest, row: Any) -> bool:
        """Return whether the button is shown."""
        return self.allowed(request, row) and self.possible(request, row)


@dataclass(frozen=True)
class Button:
    """A link from a row's page to the confirmation of an action."""

    title: str
    url: str
    grave: bool = False


def requires_permission(permission: str) -> Check:
    """Return a check for a permission."""
    return lambda request, _row: bool(request.user.has_perm(permission))
