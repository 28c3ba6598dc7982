"""Renewal of data keys that have sealed as many values as DATA_KEY_SEALS says."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from accounts.keys.services.data_keys import renew_data_key
from accounts.models import UserKey
from audit.actors import Actor
from vibe.core.crypto.errors import DataKeyMissing
from vibe.core.crypto.seal import HIGHEST_GENERATION
from vibe.core.db.scopes import as_system


def renew_due(*, actor: Actor) -> int:
    """Give everybody whose newest data key has sealed enough a further one. How many were made."""
    return sum(_renew(user_id, generation, actor) for user_id, generation in due_for_renewal())


def due_for_renewal() -> list[tuple[UUID, int]]:
    """Whose newest data key is to be renewed, and its generation."""
    with as_system():
        rows = newest_keys().filter(sealed__gte=settings.DATA_KEY_SEALS, generation__lt=HIGHEST_GENERATION)
        return list(rows.order_by("user_id").values_list("user_id", "generation"))


def newest_keys() -> QuerySet[UserKey]:
    """The data keys that seal: of each person, the one of the highest generation, unless it was destroyed."""
    later = UserKey.objects.filter(user_id=OuterRef("user_id"), generation__gt=OuterRef("generation"))
    return UserKey.objects.filter(~Exists(later), destroyed_at=None)


def _renew(user_id: UUID, generation: int, actor: Actor) -> bool:
    """One person's, unless it was renewed or destroyed meanwhile. Whether a key was made."""
    try:
        return renew_data_key(user_id=user_id, actor=actor, instead_of=generation) is not None
    except DataKeyMissing:
        return False
