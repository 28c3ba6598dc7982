"""Whether the configured master keys are those of this database.

A process whose master keys open nothing that is stored must write nothing: a person it made would be sealed under a key
that nobody else has. An empty database takes any key. One stored data key that a configured master key wrapped is
enough, also a retired one: that is a rotation under way. Each wrapped value names its master key in its header, so
nothing is unwrapped here.
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
from accounts.models import UserKey
from vibe.core.crypto.master import HEADER_BYTES, VERSION, MasterRing
from vibe.core.db.scopes import as_system
from vibe.core.from_settings import from_settings

SAMPLE: Final = 3  # of the newest data keys: of almost every database one of them is enough to look at
SHOWN: Final = 5  # stored master keys that an error names
REMEMBERED_SECONDS: Final = 1.0


class Fit(Enum):
    """What the configured master keys are to the stored data keys."""

    NOTHING_STORED = "nothing stored"
    OPENS = "opens"
    OPENS_NOTHING = "opens nothing"


_remembered: dict[tuple[str, tuple[bytes, ...]], tuple[Fit, float]] = {}
"""For a database and its master keys, what was seen last, and when."""


@from_settings
def ring() -> MasterRing:
    """Return the configured master keys. Raises ConfigurationError."""
    return MasterRing.from_hex(settings.ENCRYPTION_KEY, retired=settings.ENCRYPTION_KEYS_RETIRED)


def wrapping_ring() -> MasterRing:
    """The configured master keys, to wrap something new with. Raises WrongMasterKey when they open nothing stored."""
    require_fit(check_stored_keys())
    note_fit(Fit.OPENS)  # of an empty database: what is wrapped now
    return ring()


def require_fitting_key() -> None:
    """Raises WrongMasterKey, naming configured and stored master keys by id, when those open none of these."""
    if has_table():
        require_fit(check_stored_keys())


def require_known_fit() -> None:
    """The same by what this process knows, for what happens often: see `last_known_fit`."""
    require_fit(last_known_fit())


def refuse_recording(**_: Any) -> None:
    """Every verb that changes something records it, whoever calls it: so none changes anything under a wrong key."""
    require_known_fit()


def last_known_fit() -> Fit:
    """What this process saw last.

    Once it has seen that the keys fit, it asks no more by itself: what could change that, a database that is swapped
    beneath it or rotated away, is seen by /readyz and by whoever wraps something new, and both look. Anything else is
    looked at again after a second.
    """
    fit, at = _remembered.get(cache_key(), (None, 0.0))
    if fit is Fit.OPENS or (fit and time.monotonic() - at < REMEMBERED_SECONDS):
        return fit
    return check_stored_keys()


def is_known_to_fit() -> bool:
    """Whether this process has seen that the keys fit. Nothing is asked."""
    return _remembered.get(cache_key(), (None, 0.0))[0] is Fit.OPENS


def check_stored_keys() -> Fit:
    """Ask the database: the newest data keys, by their index, and only where none of those fits, for any that does."""
    headers = [VERSION + key_id for key_id in ring().ids]
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
    """Keep for this process what was seen."""
    _remembered[cache_key()] = (fit, time.monotonic())


@receiver(setting_changed)
def forget(setting: str, **_: Any) -> None:
    """Settings change in tests alone."""
    if setting in ("ENCRYPTION_KEY", "ENCRYPTION_KEYS_RETIRED"):
        _remembered.clear()


def require_fit(fit: Fit) -> None:
    """Raises WrongMasterKey where the keys open nothing."""
    if fit is Fit.OPENS_NOTHING:
        raise WrongMasterKey(describe_mismatch())


def describe_mismatch() -> str:
    """The fact, with the ids of the master keys, and what to do."""
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
    """The id of a master key in hexadecimal, as errors and `doctor` show it."""
    known = len(header) == HEADER_BYTES and header.startswith(VERSION)
    return header[len(VERSION) :].hex() if known else "an unknown format"


def stored_data_keys() -> QuerySet[Any]:
    """The data keys that are not destroyed, each with its header: format version and id of its master key."""
    template = f"substring(%(expressions)s from 1 for {HEADER_BYTES})"
    header = Func(F("wrapped"), template=template, output_field=BinaryField())
    rows = UserKey.objects.filter(wrapped__isnull=False)
    return rows.annotate(header=header)  # type: ignore[no-any-return]


def has_table() -> bool:
    """Whether there is a table of data keys yet: before the first migration there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [UserKey._meta.db_table])
        return bool(cursor.fetchone()[0])


def cache_key() -> tuple[str, tuple[bytes, ...]]:
    """The database that is looked at, and the keys it is looked at with."""
    return str(connection.settings_dict["NAME"]), ring().ids
