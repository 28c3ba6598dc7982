"""Checks that the master keys open what is stored, and that retired ones are kept as long as needed."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Max

from accounts.keys.errors import WrongMasterKey
from accounts.keys.master_key import Fit, check_stored_keys, key_address, ring
from accounts.keys.providers.service_key import ServiceKey
from accounts.keys.services.renewal import newest_keys
from accounts.keys.services.rotation import require_masters, values_under_retired
from accounts.models import User, UserKey
from audit.proof.freshness import lost_people
from vibe.core.crypto.errors import MasterKeyMissing, SealError
from vibe.core.crypto.seal import MOST_MESSAGES
from vibe.core.db.scopes import as_system
from vibe.doctor.findings import Finding, Severity, error, note, warning

SAMPLE = 50


def masters() -> Iterator[Finding]:
    """Check that every master key of a stored value is configured, and that the current one opens stored keys."""
    try:
        require_masters()
    except WrongMasterKey as problem:
        yield error(
            str(problem),
            why="Nobody's data can be read, and whatever writes is refused: new people would be under another key.",
            do="Set ENCRYPTION_KEY to the key that the data keys are under: docs/keys.md#the-wrong-master-key",
        )
    except MasterKeyMissing as problem:
        yield error(
            str(problem),
            why="What is under these keys cannot be read by anybody.",
            do="Add the keys to ENCRYPTION_KEYS_RETIRED, from where they are kept: docs/keys.md",
        )


def services() -> Iterator[Finding]:
    """Check that every key service gives keys."""
    for key in ring().keys:
        if isinstance(key, ServiceKey) and (problem := key.check()):
            yield error(
                f"Master key {key.id.hex()}: {problem.reason}",
                why="What is under it opens only where it was opened in the last KEY_CACHE_SECONDS, then nowhere.",
                do="Mend access to the service, or enable the key there: docs/key-services.md#when-the-service-fails",
            )


def keyless() -> Iterator[Finding]:
    """Check that all people have data keys: a restore without them brings back none, and a lost shard takes some."""
    with as_system():
        people = User.objects.filter(firebase_uid__isnull=False).exists()
        keys = UserKey.objects.filter(wrapped__isnull=False).exists()
    if people and not keys:
        yield error(
            "There are people in the database, and no data key of anybody.",
            why="Nothing that is sealed opens, and nothing can be added for them.",
            do="If a backup was put back without its keys: manage.py restore FILE --keys FILE.keys --replace",
        )
    elif (lost := lost_people())[0]:
        yield error(
            f"{lost[0]} people have an account and no data key, the first {lost[1]}.",
            why="All of a person's rows are on one shard: theirs are gone, and no erasure took them.",
            do="Stop writing, and restore them from a backup: docs/backup.md",
        )


def canary() -> Iterator[Finding]:
    """Check that the oldest and the newest data keys open."""
    with as_system():
        keys = UserKey.objects.filter(wrapped__isnull=False)
        rows = {row.pk: row for order in ("pk", "-pk") for row in keys.order_by(order)[:SAMPLE]}
    for row in rows.values():
        try:
            ring().unwrap(row.wrapped, key_address(row))
        except SealError as problem:
            yield Finding(
                Severity.ERROR,
                str(problem),
                "Nothing of that person can be read.",
                "Compare ENCRYPTION_KEY with the one in escrow; if this row alone fails, restore it",
                kind="a data key does not open",
            )


def retired() -> Iterator[Finding]:
    """Report whether retired keys are still needed or can be removed."""
    if check_stored_keys() is Fit.OPENS_NOTHING:
        return  # reported by `masters`: there is nothing to rotate, and no key to remove
    stale, configured = values_under_retired(), ring().retired_count
    if stale:
        yield warning(
            f"{stale} values are still under retired master keys, or wrapped by AES-128 as in earlier versions.",
            why="Retired keys must be kept until rotation is done.",
            do="manage.py rotate_keys",
        )
    elif configured:
        yield note(
            f"{configured} retired master keys are configured, and no stored value needs them.",
            why="A key that is not there cannot be stolen. Backups from before the rotation still need them.",
            do="Remove ENCRYPTION_KEYS_RETIRED once those backups have expired",
        )


def used_up() -> Iterator[Finding]:
    """Report data keys that have reached DATA_KEY_SEALS and are not renewed."""
    with as_system():
        rows = newest_keys().filter(sealed__gte=settings.DATA_KEY_SEALS)
        figures = rows.aggregate(count=Count("pk"), most=Max("sealed"))
    if figures["count"]:
        found = error if figures["most"] >= MOST_MESSAGES // 2 else warning
        yield found(
            f"{figures['count']} data keys have sealed DATA_KEY_SEALS values or more, the most used about "
            f"{figures['most']:,}, and are not renewed.",
            why=f"Nonces are random: under one key they are to be at most {MOST_MESSAGES:,} (NIST SP 800-38D).",
            do="manage.py worker (within the hour; generation 32,767 is the last)",
        )
