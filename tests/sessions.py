"""Sessions of staff, signed in without the form."""

from __future__ import annotations

import time

from django.test import Client
from django_otp.oath import TOTP

from accounts.keys.master_key import ring
from accounts.models import OneTimeDevice, User
from accounts.models.one_time_device import secret_address
from accounts.staff.services import GIVEN, enroll
from tests.cast import TESTER
from vibe.core.admin.sudo_mode import CONFIRMED, SIGNED_IN
from vibe.core.db.scopes import as_staff, as_support


def force_sign_in(client: Client, user: User) -> Client:
    """Sign a member of staff in, with a one-time code given."""
    with as_staff():
        account = User.objects.get(pk=user.pk)  # as it is now: a session is bound to the password
    with as_support():
        client.force_login(account)
        session = client.session
        session[GIVEN] = int(time.time())
        session.save()
    return client


def age(client: Client, *, minutes: int = 30) -> Client:
    """Let so much time go by since the password was given."""
    with as_support():
        session = client.session
        session[SIGNED_IN] = int(time.time()) - 60 * minutes
        session.pop(CONFIRMED, None)
        session.save()
    return client


def authenticator(user: User) -> TOTP:
    """A new authenticator app of a member of staff, so that no code of it was used or tried before."""
    enroll(email=str(user.email), actor=TESTER)
    with as_staff():
        device = OneTimeDevice.objects.get(staff_id=user.pk)
    return TOTP(ring().unwrap(device.secret, secret_address(device)))


def fresh_code(user: User) -> str:
    """A code of a new authenticator app."""
    return code_of(authenticator(user))


def code_of(app: TOTP, *, ahead: int = 0) -> str:
    """The code of now, or of so many steps later."""
    app.time = time.time() + ahead * app.step
    return f"{app.token():06d}"
