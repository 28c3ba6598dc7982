"""Forms for staff accounts. They read in the support scope and save in the staff scope."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import Group
from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminEmailInputWidget

from accounts.models import User
from accounts.staff.groups import MEANINGS
from accounts.staff.sign_in_failures import unlock
from vibe.core.db.scopes import as_staff


class SavedAsStaff:
    """Mixin that saves in the staff scope."""

    def save(self, *args: Any, **kwargs: Any) -> Any:
        with as_staff():
            return super().save(*args, **kwargs)  # type: ignore[misc]


class RolesField(forms.ModelMultipleChoiceField[Group]):
    """Roles as check boxes, each with what it lets one do."""

    def __init__(self) -> None:
        boxes = UnfoldAdminCheckboxSelectMultipleWidget
        shown = "Each sees people's metadata, and none their content. Without a role one sees nothing."
        super().__init__(Group.objects.order_by("name"), required=False, label="Roles", widget=boxes, help_text=shown)

    def label_from_instance(self, obj: Group) -> str:  # type: ignore[override]
        return f"{obj.name}: {MEANINGS[obj.name]}" if obj.name in MEANINGS else obj.name


class NewStaffForm(UserCreationForm):
    """Form for a new member of staff, who signs in with email and password. The admin saves it."""

    email = forms.EmailField(widget=UnfoldAdminEmailInputWidget)
    groups = RolesField()
    usable_password = None  # nobody signs in by anything else

    class Meta:
        model = User
        fields = ("email", "groups")

    def clean_email(self) -> str:
        """Return the normalized email. The database constraint checks that it is unique, ignoring case."""
        email: str = User.objects.normalize_email(self.cleaned_data["email"])
        return email


class StaffForm(forms.ModelForm[User]):
    """Form for changing a member of staff."""

    groups = RolesField()

    class Meta:
        model = User
        fields = ("email", "is_active", "is_superuser", "groups")
        labels: ClassVar = {"is_superuser": "Superuser"}
        help_texts: ClassVar = {
            "is_superuser": "Has every role, and alone makes and changes accounts of staff.",
            "is_active": "May sign in.",
        }


class StaffPasswordForm(SavedAsStaff, AdminPasswordChangeForm):
    """Form for setting the password of another member of staff."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        with as_staff():
            user.refresh_from_db(fields=["password"])
        super().__init__(user, *args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> Any:
        """Save the password, and open a lock: whoever forgot theirs has tried too often."""
        unlock(str(self.user.email))
        return super().save(*args, **kwargs)


class OwnPasswordForm(SavedAsStaff, AdminOwnPasswordChangeForm):
    """Form for changing one's own password."""
