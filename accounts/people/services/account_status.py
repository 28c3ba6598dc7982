"""Activation of people's accounts, and revocation of their tokens. Their data stays as it is."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from accounts.models import Erasure, User
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_support
from vibe.core.errors import InputError, NotFound


def set_active(*, user_id: UUID, active: bool, actor: Actor) -> bool:
    """Deactivate or reactivate a person. Return whether that changed anything.

    Raises NotFound for an unknown person and for staff, InputError on reactivating a person who is to be erased.
    """
    with as_support():
        person = User.objects.filter(pk=user_id, is_staff=False)
        if not person.exists():
            raise NotFound("There is no such person.")
        if active and Erasure.objects.filter(person=user_id, due_at__isnull=False).exists():
            raise InputError("The person is to be erased. Call the erasure off, which lets them in again.")
        changed = person.exclude(is_active=active).update(is_active=active, updated_at=timezone.now())
        if changed:
            action = "person.reactivate" if active else "person.deactivate"
            record(actor=actor, action=action, subject=user_id, resource=f"users/{user_id}")
    return bool(changed)


def revoke_tokens(*, user_id: UUID, actor: Actor) -> None:
    """Revoke every token from a person's sign-ins before now. Raises NotFound for an unknown person and for staff.

    Tokens have a resolution of one second: a person who signs in again within this one may have to repeat it.
    """
    with as_support():
        person = User.objects.filter(pk=user_id, is_staff=False)
        if not person.update(tokens_valid_since=timezone.now(), updated_at=timezone.now()):
            raise NotFound("There is no such person.")
        record(actor=actor, action="person.sign-out", subject=user_id, resource=f"users/{user_id}")
