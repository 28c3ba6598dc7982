"""What changes an account of staff, recorded; and the second factor of sign-in.

That is a one-time code of an authenticator app (TOTP, RFC 6238), or a recovery code in its place, each good once.
"""

from __future__ import annotations

import os
import secrets
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import scrypt
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts.keys.master_key import ring, wrapping_ring
from accounts.models import User
from accounts.models.one_time_device import (
    DIGITS,
    RECOVERY_DIGITS,
    OneTimeDevice,
    has_digits,
    recovery_address,
    secret_address,
)
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.errors import SealError
from vibe.core.crypto.seal import Sealed
from vibe.core.db.scopes import as_staff
from vibe.core.errors import InputError, NotFound, Refused

GIVEN = "one_time_code"  # in the session
ISSUER = "Vibe"
SECRET_BYTES = 20  # the length of the HMAC-SHA1 behind the codes
RECOVERY_CODES: Final = 10
SIGN_IN_CODE_LASTS: Final = timedelta(days=1)  # what a superuser gives whoever has no authenticator app
DIGEST_BYTES: Final = 32
COST: Final = {"n": 2**14, "r": 8, "p": 1, "maxmem": 2**26}  # of a guess at one of 2**53 codes: 16 MiB
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


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What a member of staff can give besides the password: since when an app, and how many recovery codes."""

    app_since: datetime | None
    recovery_codes: int


def enroll(*, email: str, actor: Actor) -> str:
    """Make a new secret for a member of staff, and void what was before. Return its `otpauth:` URL for a QR code."""
    with as_staff():
        found = User.objects.filter(is_staff=True, email__iexact=email).first()
        if found is None:
            raise NotFound("There is no member of staff with that email address.")
        device = new_device(found)
        _replace(device, actor)
    return app_address(found, device)


def new_device(user: User) -> OneTimeDevice:
    """Return an authenticator app with a new secret. It is not stored, and does not count yet."""
    device = OneTimeDevice(staff_id=user.pk)
    device.secret = wrapping_ring().wrap(os.urandom(SECRET_BYTES), secret_address(device))
    return device


def add_device(*, device: OneTimeDevice, code: str, actor: Actor) -> list[str]:
    """Make an app count once it has given a code, and void what was before. Return recovery codes, not shown again.

    Raises InputError for a wrong code, SealError for a secret that is not of this account.
    """
    if not device.try_code(code, _open_secret(device), timezone.now()):
        raise InputError("That is not the code that the app shows now. Compare the clocks, and give the next one.")
    codes = _give_codes(device, RECOVERY_CODES)
    with as_staff():
        _replace(device, actor)
    return codes


def give_sign_in_code(*, staff_id: UUID, actor: Actor) -> str:
    """Void a member of staff's app and recovery codes. Return one code, good once within a day, to sign in with.

    Raises NotFound, and Refused for whoever is no superuser.
    """
    device = OneTimeDevice(staff_id=staff_id)
    [code] = _give_codes(device, 1)
    with as_staff():
        if not User.objects.filter(pk=actor.id, is_staff=True, is_active=True, is_superuser=True).exists():
            raise Refused("Only superusers give sign-in codes.")
        if not User.objects.filter(pk=staff_id, is_staff=True).exists():
            raise NotFound("There is no such member of staff.")
        _replace(device, actor)
    return code


def renew_recovery_codes(*, staff_id: UUID, actor: Actor) -> list[str]:
    """Make recovery codes, and void those of before. Return them, not shown again. Raises InputError without an app."""
    with as_staff():
        device = OneTimeDevice.objects.select_for_update().filter(staff_id=staff_id, secret__isnull=False).first()
        if device is None:
            raise InputError("Recovery codes stand in for an authenticator app. Add one first.")
        codes = _give_codes(device, RECOVERY_CODES)
        device.save(update_fields=["recovery"])
        record(actor=actor, action="staff.recovery_codes", resource=account_resource(staff_id))
    return codes


def second_factor(user: User) -> SecondFactor:
    """Return what a member of staff has to give besides the password."""
    with as_staff():
        device = OneTimeDevice.objects.filter(staff_id=user.pk).first()
    if device is None:
        return SecondFactor(None, 0)
    return SecondFactor(device.created_at if device.secret else None, len(_digests(device)))


def _replace(device: OneTimeDevice, actor: Actor) -> None:
    """Store a device in place of the one before, and record it."""
    OneTimeDevice.objects.filter(staff_id=device.staff_id).delete()
    device.save(force_insert=True)
    record(actor=actor, action=ENROLL, resource=account_resource(device.staff_id))


def _give_codes(device: OneTimeDevice, number: int) -> list[str]:
    """Give a device new recovery codes in place of those of before. Return them; the caller stores the device."""
    codes = [f"{secrets.randbelow(10**RECOVERY_DIGITS):0{RECOVERY_DIGITS}}" for _ in range(number)]
    _keep_digests(device, [_digest(device, code) for code in codes])
    return [" ".join(code[start : start + 4] for start in range(0, RECOVERY_DIGITS, 4)) for code in codes]


def _digest(device: OneTimeDevice, code: str) -> bytes:
    """Return the hash of a recovery code, salted with the id of its device, which is random."""
    return scrypt(code.encode(), salt=device.pk.bytes, dklen=DIGEST_BYTES, **COST)


def _digests(device: OneTimeDevice) -> list[bytes]:
    """Return the digests of the recovery codes that are left."""
    kept = ring().unwrap(device.recovery, recovery_address(device)) if device.recovery else b""
    return [kept[start : start + DIGEST_BYTES] for start in range(0, len(kept), DIGEST_BYTES)]


def _keep_digests(device: OneTimeDevice, digests: list[bytes]) -> None:
    device.recovery = wrapping_ring().wrap(b"".join(digests), recovery_address(device)) if digests else None


def _open_secret(device: OneTimeDevice) -> bytes:
    secret: bytes = ring().unwrap(device.secret, secret_address(device))
    return secret


def _take_recovery_code(device: OneTimeDevice, code: str) -> bool:
    """Return whether this is a recovery code that is left, and take it away."""
    if device.secret is None and timezone.now() - device.created_at > SIGN_IN_CODE_LASTS:
        return False
    digests, given = _digests(device), _digest(device, code)
    left = [each for each in digests if not secrets.compare_digest(each, given)]
    if len(left) == len(digests):
        return False
    _keep_digests(device, left)
    return True


def app_address(user: User, device: OneTimeDevice) -> str:
    """Return the URL that authenticator apps read: `otpauth://totp/...`, with the secret."""
    asked = {
        "secret": secret_text(device),
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": 30,
        "issuer": ISSUER,
    }
    return f"otpauth://totp/{quote(f'{ISSUER}:{user.email}')}?{urlencode(asked)}"


def secret_text(device: OneTimeDevice) -> str:
    """Return the secret of an app as it is typed in."""
    return b32encode(_open_secret(device)).decode()


def form_token(device: OneTimeDevice) -> str:
    """Return a device that is not stored yet, as a form carries it: its id and its wrapped secret."""
    return f"{device.pk.hex}{device.secret.ciphertext.hex()}"


def read_form_token(user: User, token: str) -> OneTimeDevice:
    """Return the device that a form carried back. Raises InputError for what is none."""
    try:
        device = OneTimeDevice(pk=UUID(token[:32]), staff_id=user.pk, secret=Sealed(bytes.fromhex(token[32:])))
        _open_secret(device)
    except (ValueError, SealError):
        raise InputError("This page is too old. Open it again.") from None
    return device


def has_device(user: User) -> bool:
    """Return whether a member of staff has codes to give, of an authenticator app or from a superuser."""
    with as_staff():
        return OneTimeDevice.objects.filter(staff_id=user.pk).exists()


def code_is_valid(user: User, code: str) -> bool:
    """Return whether this is the current code, or a recovery code that is left. Each works once.

    Wrong ones delay the next attempts. Raises SealError if what is stored does not open, so that a moved or forged
    secret lets no one in.
    """
    now = timezone.now()
    with as_staff():
        device = OneTimeDevice.objects.select_for_update().filter(staff_id=user.pk).first()
        if device is None or device.must_wait(now):
            return False
        if recovery := recovery_code(code):
            accepted = _take_recovery_code(device, recovery)
        else:
            accepted = device.secret is not None and device.try_code(code, _open_secret(device), now)
        device.note(accepted, now)
        device.save(update_fields=["recovery", "drift", "last_step", "failures", "failed_at"])
        return accepted


def recovery_code(text: str) -> str:
    """Return the digits of a text that has the form of a recovery code; of any other nothing."""
    digits = text.replace(" ", "").replace("-", "")
    return digits if has_digits(digits, RECOVERY_DIGITS) else ""


def has_given_code(request: HttpRequest) -> bool:
    """Return whether the signed-in member of staff has given a code, if one is required."""
    return not required() or bool(request.session.get(GIVEN))


def note_given(request: HttpRequest) -> None:
    """Note in the new session that a code was given."""
    request.session[GIVEN] = int(timezone.now().timestamp())
