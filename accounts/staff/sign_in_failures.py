"""How failed sign-ins are counted: an account has few tries, an address many, since a whole office may share one."""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

from accounts.staff.axes_hooks import counted_as

ACCOUNT = 1  # its place in AXES_LOCKOUT_PARAMETERS


class SignInFailures(AxesDatabaseHandler):  # type: ignore[misc]  # from a package without types
    """The handler of django-axes, with a limit for accounts and one for addresses."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return the account's failures; as many as lock it where the address has had too many."""
        of_address, of_account = (
            attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0
            for attempts in self.get_user_attempts(request, credentials)
        )
        if of_address >= settings.SIGN_IN_FAILURES_ADDRESS:
            return max(of_account, settings.AXES_FAILURE_LIMIT)
        return int(of_account)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Forget the failures of the account that has signed in, and not those of others from its address.

        Else whoever has an account of their own could guess at others' without end.
        """
        return int(self.filter_user_attempts(request, credentials)[ACCOUNT].delete()[0])


def unlock(email: str) -> None:
    """Forget the failures of an account, so that it can sign in now."""
    AccessAttempt.objects.filter(username=counted_as(email)).delete()
