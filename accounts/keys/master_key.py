"""Check that the configured master keys are those of this database.

A process whose master keys open nothing stored must write nothing: a person it created would be sealed under a key that
no other process has. An empty database accepts any key. One stored data key under a configured master key is enough,
even a retired one, as during a rotation. Each wrapped value names its master key in its header, so nothing is unwrapped
here.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.db import connection
from django.db.models import BinaryField, Count, F, Func, QuerySet
from django.dispatch import receiver

from accounts.keys.errors import WrongMasterKey
from accounts.keys.providers.reading import read_master_key
from accounts.keys.providers.service_key import ServiceKey
from accounts.models import UserKey
from vibe.core.crypto.errors import SealBroken
from vibe.core.crypto.master import HEADER_BYTES, VERSION, VERSIONS, MasterRing
from vibe.core.crypto.seal import Address
from vibe.core.db.scopes import as_system
from vibe.core.from_settings import from_settings

SAMPLE: Final = 3  # newest data keys to look at first: in almost every database one of them decides
SHOWN: Final = 5  # stored master keys that an error names
REMEMBERED_SECONDS: Final = 1.0


class Fit(Enum):
    """Relation of the configured master keys to the stored data keys."""

    NOTHING_STORED = "nothing stored"
    OPENS = "opens"
    OPENS_NOTHING = "opens nothing"


_remembered: dict[tuple[str, tuple[bytes, ...]], tuple[Fit, float]] = {}
"""The last result and its time, by database and master keys."""
_same_key: set[tuple[str, tuple[bytes, ...]]] = set()
"""Databases and master keys that `require_same_key` found to belong together."""


@from_settings
def ring() -> MasterRing:
    """Return the configured master keys. Raises ConfigurationError."""
    return MasterRing.read(settings.ENCRYPTION_KEY, retired=settings.ENCRYPTION_KEYS_RETIRED, read_key=read_master_key)


def wrapping_ring() -> MasterRing:
    """Return the configured master keys for wrapping a new value.

    Raises WrongMasterKey if they open nothing stored, KeyServiceUnavailable.
    """
    require_fit(check_stored_keys())
    require_same_key()
    note_fit(Fit.OPENS)  # in an empty database, the value wrapped now will fit
    return ring()


def require_fitting_key() -> None:
    """Raise WrongMasterKey, with the ids of configured and stored master keys, if the keys open nothing stored."""
    if has_table():
        require_fit(check_stored_keys())


def require_same_key() -> None:
    """Raise WrongMasterKey if a key service has another key under the name of the current one. Checked once a process.

    The id of such a key is a digest of its name, so a value is unwrapped.
    """
    current = ring().current
    if not isinstance(current, ServiceKey) or cache_key() in _same_key:
        return
    with as_system():
        row = stored_data_keys().filter(header=VERSION + current.id).order_by("-pk").first()
    try:
        if row is not None:
            ring().unwrap(row.wrapped, key_address(row))
    except SealBroken:
        raise WrongMasterKey(
            f"The key service has another key under the name of master key {current.id.hex()}, under which data keys "
            "are stored, so nothing is written. Put that key back, or set ENCRYPTION_KEY to its name: "
            "docs/key-services.md"
        ) from None
    _same_key.add(cache_key())


def key_address(row: UserKey) -> Address:
    """Return the address of a wrapped data key, with the generation in place of a revision."""
    return Address("user_keys", "wrapped", row.user_id, row.pk, row.generation)


def require_known_fit() -> None:
    """Raise WrongMasterKey by the cached result, for frequent checks: see `last_known_fit`."""
    require_fit(last_known_fit())


def refuse_recording(**_: Any) -> None:
    """Refuse to record under a wrong key: since every change is recorded, none can be made."""
    require_known_fit()


def last_known_fit() -> Fit:
    """Return the last result in this process.

    Once the keys fit, this does not check again. A database that is swapped or rotated away is noticed by /readyz and
    whenever a new value is wrapped, as both always check. Any other result is checked again after a second.
    """
    fit, at = _remembered.get(cache_key(), (None, 0.0))
    if fit is Fit.OPENS or (fit and time.monotonic() - at < REMEMBERED_SECONDS):
        return fit
    return check_stored_keys()


def is_known_to_fit() -> bool:
    """Return whether this process knows that the keys fit, without a query."""
    return _remembered.get(cache_key(), (None, 0.0))[0] is Fit.OPENS


def check_stored_keys() -> Fit:
    """Check the newest data keys by their index, and all others only if none of those fits."""
    headers = [version + key_id for version in VERSIONS for key_id in ring().ids]
    with as_system():
        newest = [bytes(each) for each in stored_data_keys().order_by("-pk").values_list("header", flat=True)[:SAMPLE]]
        if not newest:
            fit = Fit.NOTHING_STORED
        elif any(each in headers for each in newest) or stored_data_keys().filter(header__in=headers).exists():
            fit = Fit.OPENS
        else:
            fit = Fit.OPENS_NOTHING
    note_fit(fit)
    return fit


def note_fit(fit: Fit) -> None:
    """Cache a result for this process."""
    _remembered[cache_key()] = (fit, time.monotonic())


@receiver(setting_changed)
def forget(setting: str, **_: Any) -> None:
    """Clear the cache when the keys change, as settings do only in tests."""
    if setting in ("ENCRYPTION_KEY", "ENCRYPTION_KEYS_RETIRED"):
        _remembered.clear()
        _same_key.clear()


def require_fit(fit: Fit) -> None:
    """Raise WrongMasterKey if the keys open nothing."""
    if fit is Fit.OPENS_NOTHING:
        raise WrongMasterKey(describe_mismatch())


def describe_mismatch() -> str:
    """Return the error message: the mismatch, the ids of the master keys, and the remedy."""
    with as_system():
        counted = stored_data_keys().values_list("header").annotate(count=Count("pk")).order_by("-count")[: SHOWN + 1]
        found = [f"{master_key_id(bytes(header))} ({count:,})" for header, count in counted]
    more = ", and others" if len(found) > SHOWN else ""
    current, *retired = (key_id.hex() for key_id in ring().ids)
    configured = f"ENCRYPTION_KEY is {current}" + (f", ENCRYPTION_KEYS_RETIRED {', '.join(retired)}" if retired else "")
    return (
        f"The configured master keys open none of the stored data keys, so nothing is written. {configured}; the data "
        f"keys are under {', '.join(found[:SHOWN])}{more}, not configured here. Set ENCRYPTION_KEY back to the key of "
        "that id, from where it is kept, or DATABASE_URL to the database of this key: docs/keys.md#the-wrong-master-key"
    )


def master_key_id(header: bytes) -> str:
    """Return the id of a master key in hexadecimal, as errors and `doctor` show it."""
    known = len(header) == HEADER_BYTES and header.startswith(VERSIONS)
    return header[1:].hex() if known else "an unknown format"


def stored_data_keys() -> QuerySet[Any]:
    """Return the data keys that are not destroyed, each with its header: format version and id of its master key."""
    template = f"substring(%(expressions)s from 1 for {HEADER_BYTES})"
    header = Func(F("wrapped"), template=template, output_field=BinaryField())
    rows = UserKey.objects.filter(wrapped__isnull=False)
    return rows.annotate(header=header)  # type: ignore[no-any-return]


def has_table() -> bool:
    """Return whether the table of data keys exists: before the first migration it does not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [UserKey._meta.db_table])
        return bool(cursor.fetchone()[0])


def cache_key() -> tuple[str, tuple[bytes, ...]]:
    """Return the database name and the ids of the configured keys."""
    return str(connection.settings_dict["NAME"]), ring().ids
