"""Creation, use and revocation of API keys. Only their digest is stored.

A key is 256 random bits, so one SHA-256 suffices: slow hashes are for secrets that can be guessed.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.companions import LONGEST_COMPANION
from accounts.models import KEYS_SHOWN, ApiKey
from accounts.models.api_keys import ALL_SCOPES, PEOPLE
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_support, as_system
from vibe.core.errors import InputError, NotFound

PREFIX: Final = "vibe_"
HINT: Final = len(PREFIX) + 8  # characters that are shown
NOTED_EVERY: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=3 * 366)


def make_api_key(
    *,
    name: str,
    scopes: Collection[str],
    lasts: timedelta,
    actor: Actor,
    person: UUID | None = None,
    companion: str | None = None,
) -> tuple[UUID, str]:
    """Make a key. Return its id and the key itself, which cannot be shown again. Raises InputError.

    One that a member of staff makes opens nothing before another approves it: accounts.key_approvals.services.
    The companion that it is bound to stands in the key itself. It is not stored, and cannot be changed: the digest is
    of all of the key.
    """
    check_new_key(name, scopes, lasts)
    if companion is not None and (PEOPLE in scopes or not 0 < len(companion) <= LONGEST_COMPANION):
        raise InputError(
            f"A companion has 1 to {LONGEST_COMPANION} characters, and a key for one has no scope '{PEOPLE}'."
        )
    if person and PEOPLE in scopes:
        raise InputError(f"A key with the scope '{PEOPLE}' acts for everybody. Make it without a person.")
    bound = "" if companion is None else f".{urlsafe_b64encode(companion.encode()).decode()}"
    credential = f"{PREFIX}{secrets.token_urlsafe(32)}{bound}"
    key = ApiKey(
        name=name,
        hint=credential[:HINT],
        digest=digest_of(credential),
        scopes=sorted(scopes),
        person=person,
        expires_at=timezone.now() + lasts,
        **({"made_by": UUID(actor.id), "approved_at": None} if actor.kind == "staff" else {}),
    )
    with as_system():
        key.save(force_insert=True)
        details = {"scopes": key.scopes, "expires_at": key.expires_at.isoformat()}
        record(actor=actor, action="api-key.make", subject=person, resource=f"api_keys/{key.pk}", details=details)
    return key.pk, credential


def check_new_key(name: str, scopes: Collection[str], lasts: timedelta) -> None:
    """Raise InputError for an invalid name, scopes or lifetime."""
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise InputError("An API key needs a name of 1 to 100 characters.")
    if not scopes or not ALL_SCOPES.issuperset(scopes):
        raise InputError(f"An API key needs scopes out of: {', '.join(sorted(ALL_SCOPES))}.")
    if not timedelta(0) < lasts <= LONGEST:
        raise InputError(f"An API key lasts between one day and {LONGEST.days} days.")


def revoke_api_key(*, key_id: UUID, actor: Actor) -> bool:
    """Revoke a key, from the next request on. Return whether it was not revoked before. Raises NotFound."""
    with as_support():
        keys = ApiKey.objects.filter(pk=key_id)
        if not keys.exists():
            raise NotFound("There is no such API key. list_api_keys shows them.")
        revoked = bool(keys.filter(revoked_at=None).update(revoked_at=Now()))
        if revoked:
            record(actor=actor, action="api-key.revoke", resource=f"api_keys/{key_id}")
    return revoked


def list_api_keys() -> list[dict[str, Any]]:
    """Return every key, newest first, without its digest."""
    with as_system():
        return list(ApiKey.objects.order_by("-created_at", "-pk").values(*KEYS_SHOWN))


def companion_of(credential: str) -> str | None:
    """Return the companion that a known key is bound to; None for one that is not bound."""
    _, dot, bound = credential.partition(".")
    return urlsafe_b64decode(bound).decode() if dot else None


def digest_of(credential: str) -> bytes:
    """Return the stored digest of a key, 32 bytes."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()


def is_usable(key: ApiKey) -> bool:
    """Return whether a key is approved, and neither revoked nor expired."""
    return key.approved_at is not None and key.revoked_at is None and key.expires_at > timezone.now()


def note_use(key: ApiKey) -> None:
    """Save the time of last use, at most once a minute."""
    if key.last_used_at and timezone.now() - key.last_used_at < NOTED_EVERY:
        return
    due = Q(last_used_at=None) | Q(last_used_at__lt=timezone.now() - NOTED_EVERY)
    ApiKey.objects.filter(due, pk=key.pk).update(last_used_at=Now())
