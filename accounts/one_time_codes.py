"""The second thing staff sign in with: a one-time code (TOTP, RFC 6238) from an app on their telephone."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from audit.actors import Actor
from audit.services import record
from vibe.db.contexts import as_staff
from vibe.errors import NotFound

GIVEN = "one_time_code"  # in the session


def required() -> bool:
    """Whether signing in takes a code."""
    return bool(settings.ONE_TIME_CODES)


def enroll(*, email: str, actor: Actor) -> str:
    """A new secret for a member of staff; an earlier one is void. The address that makes an app's QR code of it."""
    user = User.objects.filter(is_staff=True)
    with as_staff():
        found = user.filter(email__iexact=email).first()
        if found is None:
            raise NotFound("There is no member of staff with that email address.")
        TOTPDevice.objects.filter(user=found).delete()
        device = TOTPDevice.objects.create(user=found, name="app", confirmed=True)
        record(actor=actor, action="staff.one_time_code", resource=f"users/{found.pk}")
        return str(device.config_url)


def accepts(user: User, code: str) -> bool:
    """Whether this is the code of the moment. Each is good once; wrong ones make the next tries wait."""
    with as_staff():
        devices = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True)
        return any(bool(device.verify_token(code)) for device in devices)


def passed(request: HttpRequest) -> bool:
    """Whether whoever is signed in has given a code, where that is asked for."""
    return not required() or bool(request.session.get(GIVEN))


def note_given(request: HttpRequest) -> None:
    """Keep that a code was given, in the session that is just beginning."""
    request.session[GIVEN] = int(timezone.now().timestamp())
