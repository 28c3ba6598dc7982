"""Letting a person sign in, or not, or only anew. Their data stays as it is."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from accounts.models import Erasure, User
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_support
from vibe.core.errors import InputError, NotFound


def set_active(*, user_id: UUID, active: bool, actor: Actor) -> bool:
    """Deactivate or reactivate a person. Whether that changed anything.

    Raises NotFound for nobody and for staff, InputError for letting in who is to be erased.
    """
    with as_support():
        person = User.objects.filter(pk=user_id, is_staff=False)
        if not person.exists():
            raise NotFound("There is no such person.")
        if active and Erasure.objects.filter(person=user_id).exists():
            raise InputError("The person is to be erased. Call the erasure off, which lets them in again.")
        changed = person.exclude(is_active=active).update(is_active=active, updated_at=timezone.now())
        if changed:
            action = "person.reactivate" if active else "person.deactivate"
            record(actor=actor, action=action, subject=user_id, resource=f"users/{user_id}")
    return bool(changed)


def revoke_tokens(*, user_id: UUID, actor: Actor) -> None:
    """Void every token of a person that came from a sign-in before now. Raises NotFound for nobody and for staff.

    Tokens count in whole seconds: whoever signs in anew within this one may have to do it again.
    """
    with as_support():
        person = User.objects.filter(pk=user_id, is_staff=False)
        if not person.update(tokens_valid_since=timezone.now(), updated_at=timezone.now()):
            raise NotFound("There is no such person.")
        record(actor=actor, action="person.sign-out", subject=user_id, resource=f"users/{user_id}")
