"""Renewal of data keys that have sealed DATA_KEY_SEALS values."""

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
    """Renew every newest data key that has sealed enough values. Return how many keys were made."""
    return sum(_renew(user_id, generation, actor) for user_id, generation in due_for_renewal())


def due_for_renewal() -> list[tuple[UUID, int]]:
    """Return the people whose newest data key is due for renewal, and its generation."""
    with as_system():
        rows = newest_keys().filter(sealed__gte=settings.DATA_KEY_SEALS, generation__lt=HIGHEST_GENERATION)
        return list(rows.order_by("user_id").values_list("user_id", "generation"))


def newest_keys() -> QuerySet[UserKey]:
    """Return the data keys in use: each person's highest generation, unless it was destroyed."""
    later = UserKey.objects.filter(user_id=OuterRef("user_id"), generation__gt=OuterRef("generation"))
    return UserKey.objects.filter(~Exists(later), destroyed_at=None)


def _renew(user_id: UUID, generation: int, actor: Actor) -> bool:
    """Renew one person's key, unless it was renewed or destroyed meanwhile. Return whether one was made."""
    try:
        return renew_data_key(user_id=user_id, actor=actor, instead_of=generation) is not None
    except DataKeyMissing:
        return False
