"""Forms for the accounts of staff. They read in the scope of support and save in that of staff accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm, UserCreationForm

from accounts.models import User
from vibe.core.db.scopes import as_staff


class SavedAsStaff:
    """Saving what may only be saved in the scope of staff accounts."""

    def save(self, *args: Any, **kwargs: Any) -> Any:
        with as_staff():
            return super().save(*args, **kwargs)  # type: ignore[misc]


class NewStaffForm(UserCreationForm):
    """A new member of staff, who signs in with email and password. Saved by the admin."""

    email = forms.EmailField()

    class Meta:
        model = User
        fields = ("email",)

    def clean_email(self) -> str:
        """Unique ignoring case: the model's own constraint says so with less ceremony in the database only."""
        email: str = User.objects.normalize_email(self.cleaned_data["email"])
        return email


class StaffForm(forms.ModelForm[User]):
    """What can be changed of a member of staff."""

    groups = forms.ModelMultipleChoiceField(Group.objects.all(), required=False)

    class Meta:
        model = User
        fields = ("email", "is_active", "is_superuser", "groups")


class StaffPasswordForm(SavedAsStaff, AdminPasswordChangeForm):
    """Somebody else's new password."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        with as_staff():
            user.refresh_from_db(fields=["password"])
        super().__init__(user, *args, **kwargs)


class OwnPasswordForm(SavedAsStaff, AdminOwnPasswordChangeForm):
    """One's own new password."""
