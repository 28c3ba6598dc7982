"""API keys that staff make. A key opens what staff read under a grant alone, so it takes a second person too."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from accounts.api_keys.services import make_api_key
from accounts.grants.separation import acting_account, may_approve, require_second_factor, require_separation
from accounts.models import KEYS_SHOWN, ApiKey, User
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_support
from vibe.core.errors import NotFound, Refused, VibeError

MAKE: Final = "accounts.add_apikey"


class NotWaiting(VibeError):
    message = "The key was approved or revoked already. Nothing was changed."
    code = "not-waiting"
    status = 409


def may_make_key(staff: User) -> bool:
    """Return whether a member of staff may make API keys."""
    return staff.is_active and staff.is_staff and staff.has_perm(MAKE)


def may_approve_key(staff: User, key: ApiKey) -> bool:
    """Return whether a member of staff may approve a key: not one that they made, unless allowed."""
    return may_approve(staff) and (staff.pk != key.made_by or settings.GRANTS_ALLOW_SELF_APPROVAL)


def make_key(
    *,
    name: str,
    scopes: Collection[str],
    lasts: timedelta,
    actor: Actor,
    person: UUID | None = None,
    companion: str | None = None,
) -> tuple[UUID, str]:
    """Make a key that waits for approval. Return its id and the key itself, which cannot be shown again.

    Raises InputError, and Refused without the permission.
    """
    with as_support():
        if not may_make_key(acting_account(actor)):
            raise Refused("You may not make API keys. It takes the role engineer.")
    return make_api_key(name=name, scopes=scopes, lasts=lasts, person=person, companion=companion, actor=actor)


def approve_key(*, key_id: UUID, actor: Actor) -> None:
    """Let a key work that another member of staff made.

    Raises NotFound; Refused without the permission, while one-time codes are off, and for an approver whose account and
    the maker's are joined (accounts.grants.separation); NotWaiting when it was already approved or revoked.
    """
    with as_support():
        staff = acting_account(actor)
        key = ApiKey.objects.select_for_update().only(*KEYS_SHOWN).filter(pk=key_id).first()
        if key is None:
            raise NotFound("There is no such API key.")
        if not may_approve_key(staff, key):
            raise Refused("Nobody approves a key of their own, and approving takes the role approver.")
        if key.approved_at or key.revoked_at or key.made_by is None:
            raise NotWaiting()
        require_second_factor()
        sole = staff.pk == key.made_by
        if not sole:
            require_separation(staff.pk, key.made_by)
        ApiKey.objects.filter(pk=key_id).update(approved_at=Now(), approved_by=None if sole else staff.pk)
        details = {"made_by": str(key.made_by), **({"sole": True} if sole else {})}
        resource = f"api_keys/{key_id}"
        record(actor=actor, action="api-key.approve", subject=key.person, resource=resource, details=details)
