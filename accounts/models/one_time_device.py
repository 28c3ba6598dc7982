"""The second factor of staff: an authenticator app and recovery codes, wrapped under the master key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django_otp.oath import TOTP

from vibe.core.crypto.fields import WrappedField
from vibe.core.crypto.seal import Address
from vibe.core.db.roles import STAFF, SYSTEM
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import uuid7

DIGITS = 6
RECOVERY_DIGITS = 16  # 53 bits
TOLERANCE = 1  # steps of half a minute that the device's clock may differ by, either way
LONGEST_WAIT = timedelta(days=1)


class OneTimeDevice(models.Model):
    """The authenticator app of one member of staff: TOTP, RFC 6238, six digits every half minute; and recovery codes.

    Without a secret there is no app yet, and the only recovery code is what a superuser gave for the first sign-in.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    staff_id = models.UUIDField(unique=True)
    secret = WrappedField(null=True)
    recovery = WrappedField(null=True)  # the hashes, one after the other, of the codes that are left
    drift = models.SmallIntegerField(default=0)  # steps that the device's clock is known to differ by
    last_step = models.BigIntegerField(default=-1)  # of the last accepted code: each works once
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "one_time_devices"
        constraints: ClassVar = [
            CompositeReference(
                name="one_time_devices_staff", columns=["staff_id"], to="accounts.User", to_columns=["id"]
            ),
            RowSecurity(name="one_time_devices_walls", owner="staff_id", others=[(STAFF, "true"), (SYSTEM, "true")]),
            Privileges(
                name="one_time_devices_for_staff",
                role=STAFF,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": ("recovery", "drift", "last_step", "failures", "failed_at"),
                    "DELETE": None,
                },
            ),
            Privileges(
                name="one_time_devices_for_system",
                role=SYSTEM,
                verbs={"SELECT": ("id", "staff_id", "secret", "recovery"), "UPDATE": ("secret", "recovery")},
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    def must_wait(self, now: datetime) -> bool:
        """Return whether it is too soon after wrong codes: 1, 2, 4, 8 ... seconds."""
        if not self.failed_at:
            return False
        wait = timedelta(seconds=2 ** min(self.failures - 1, 20))
        return now - self.failed_at < min(wait, LONGEST_WAIT)

    def try_code(self, code: str, secret: bytes, now: datetime) -> bool:
        """Return whether this is the current code of the app, and note on the row that it is used."""
        totp = TOTP(secret, drift=self.drift)
        totp.time = now.timestamp()
        if not has_digits(code, DIGITS) or not totp.verify(int(code), TOLERANCE, self.last_step + 1):
            return False
        self.last_step, self.drift = totp.t(), totp.drift
        return True

    def note(self, accepted: bool, now: datetime) -> None:
        """Note on the row how a try ended; wrong ones delay the next. The caller saves it."""
        self.failures, self.failed_at = (0, None) if accepted else (self.failures + 1, now)


def has_digits(text: str, number: int) -> bool:
    """Return whether a text is that many digits."""
    return len(text) == number and text.isascii() and text.isdecimal()


def secret_address(device: OneTimeDevice) -> Address:
    """Return the address of a device's secret."""
    return Address("one_time_devices", "secret", device.staff_id, device.pk, 1)


def recovery_address(device: OneTimeDevice) -> Address:
    """Return the address of a device's recovery codes."""
    return Address("one_time_devices", "recovery", device.staff_id, device.pk, 1)
