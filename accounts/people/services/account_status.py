"""Activation of people's accounts, restriction of processing, revocation of tokens. Their data stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.utils import timezone

from accounts.models import Erasure, User
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_support
from vibe.core.errors import InputError, NotFound

LIFTED: Final[list[Callable[[UUID], object]]] = []
"""What catches up with a person whose restriction is lifted. Apps add theirs in AppConfig.ready()."""


def set_active(*, user_id: UUID, active: bool, actor: Actor, reason: str = "", ticket: str = "") -> bool:
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
            _record(actor, "person.reactivate" if active else "person.deactivate", user_id, reason, ticket)
    return bool(changed)


def set_restricted(*, user_id: UUID, restricted: bool, actor: Actor, reason: str, ticket: str) -> bool:
    """Restrict the processing of a person's data (GDPR, article 18), or lift that. Return whether it changed anything.

    What is stored stays, and the person reads, exports and erases it. Nothing is added, searched or built, and staff
    read nothing: keys are not opened for it. Lifted, jobs catch up with what waits. Raises InputError without a reason
    and a ticket, NotFound for an unknown person and for staff.
    """
    if not (reason.strip() and ticket.strip()):
        raise InputError("Say why, and name the ticket.")
    with as_support():
        person = User.objects.filter(pk=user_id, is_staff=False)
        if not person.exists():
            raise NotFound("There is no such person.")
        now = timezone.now()
        different = person.filter(restricted_at__isnull=restricted)
        changed = different.update(restricted_at=now if restricted else None, updated_at=now)
        if changed:
            _record(actor, "person.restrict" if restricted else "person.lift-restriction", user_id, reason, ticket)
    if changed and not restricted:
        for catch_up in LIFTED:
            catch_up(user_id)
    return bool(changed)


def _record(actor: Actor, action: str, user_id: UUID, reason: str, ticket: str) -> None:
    """Record what was done to an account, and why."""
    details = {"ticket": ticket} if ticket else None
    record(actor=actor, action=action, subject=user_id, resource=f"users/{user_id}", reason=reason, details=details)


def revoke_tokens(*, user_id: UUID, actor: Actor) -> None:
    """Revoke every token from a person's sign-ins before now. Raises NotFound for an unknown person and for staff.

    Tokens have a resolution of one second: a person who signs in again within this one may have to repeat it.
    """
    with as_support():
        person = User.objects.filter(pk=user_id, is_staff=False)
        if not person.update(tokens_valid_since=timezone.now(), updated_at=timezone.now()):
            raise NotFound("There is no such person.")
        record(actor=actor, action="person.sign-out", subject=user_id, resource=f"users/{user_id}")
