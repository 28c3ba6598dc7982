"""What changes an account of staff, recorded; and the second factor of sign-in: one-time codes (TOTP, RFC 6238)."""

from __future__ import annotations

import os
from base64 import b32encode
from collections.abc import Sequence
from urllib.parse import quote, urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts.keys.master_key import ring, wrapping_ring
from accounts.models import User
from accounts.models.one_time_device import DIGITS, OneTimeDevice, secret_address
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_staff
from vibe.core.errors import NotFound

GIVEN = "one_time_code"  # in the session
ISSUER = "Vibe"
SECRET_BYTES = 20  # the length of the HMAC-SHA1 behind the codes
CREATE, CHANGE, ENROLL = "staff.create", "staff.change", "staff.one_time_code"
CHANGES_OF_ACCOUNTS = (CREATE, CHANGE, ENROLL)


def account_resource(staff_id: UUID | str) -> str:
    """Return the name of an account in the audit log."""
    return f"users/{staff_id}"


def record_account_made(*, staff_id: UUID, actor: Actor) -> None:
    """Record that an account of staff was made, in the transaction that makes it."""
    record(actor=actor, action=CREATE, resource=account_resource(staff_id))


def record_account_changed(*, staff_id: UUID, fields: Sequence[str], actor: Actor) -> None:
    """Record which fields of an account of staff were changed, in the transaction that changes it."""
    record(actor=actor, action=CHANGE, resource=account_resource(staff_id), details={"fields": list(fields)})


def required() -> bool:
    """Return whether signing in requires a code."""
    return bool(settings.ONE_TIME_CODES)


def enroll(*, email: str, actor: Actor) -> str:
    """Make a new secret for a member of staff, and void the earlier one. Return its `otpauth:` URL for a QR code."""
    user = User.objects.filter(is_staff=True)
    secret = os.urandom(SECRET_BYTES)
    with as_staff():
        found = user.filter(email__iexact=email).first()
        if found is None:
            raise NotFound("There is no member of staff with that email address.")
        OneTimeDevice.objects.filter(staff_id=found.pk).delete()
        device = OneTimeDevice(staff_id=found.pk)
        device.secret = wrapping_ring().wrap(secret, secret_address(device))
        device.save(force_insert=True)
        record(actor=actor, action=ENROLL, resource=account_resource(found.pk))
    return app_address(str(found.email), secret)


def app_address(email: str, secret: bytes) -> str:
    """Return the URL that authenticator apps read: `otpauth://totp/...`, with the secret."""
    asked = {
        "secret": b32encode(secret).decode(),
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": 30,
        "issuer": ISSUER,
    }
    return f"otpauth://totp/{quote(f'{ISSUER}:{email}')}?{urlencode(asked)}"


def has_device(user: User) -> bool:
    """Return whether a member of staff has an authenticator app for codes."""
    with as_staff():
        return OneTimeDevice.objects.filter(staff_id=user.pk).exists()


def code_is_valid(user: User, code: str) -> bool:
    """Return whether this is the current code. Each works once; wrong ones delay the next attempts.

    Raises SealError if the secret does not open, so that a moved or forged secret lets no one in.
    """
    with as_staff():
        device = OneTimeDevice.objects.select_for_update().filter(staff_id=user.pk).first()
        if device is None:
            return False
        accepted = device.try_code(code, ring().unwrap(device.secret, secret_address(device)), timezone.now())
        device.save(update_fields=["drift", "last_step", "failures", "failed_at"])
        return accepted


def has_given_code(request: HttpRequest) -> bool:
    """Return whether the signed-in member of staff has given a code, if one is required."""
    return not required() or bool(request.session.get(GIVEN))


def note_given(request: HttpRequest) -> None:
    """Note in the new session that a code was given."""
    request.session[GIVEN] = int(timezone.now().timestamp())
