"""How many values each data key has sealed, so that it is renewed long before its bound (NIST SP 800-38D, 8.3).

Counted by chance: not every value writes, but each has its share in one write of a whole step. What is written is on
average what was sealed, and after a thousand steps within about 3 % of it. The write has a transaction of its own,
after that of the sealing, so that nobody waits for anybody's count.
"""

from __future__ import annotations

from functools import partial
from secrets import randbelow
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.models import UserKey
from vibe.core.crypto.seal import MOST_MESSAGES
from vibe.core.db.scopes import as_system
from vibe.core.errors import ConfigurationError

STEPS: Final = 1_024  # from a key's first value to its renewal


def require_bound() -> None:
    """Raise ConfigurationError for a DATA_KEY_SEALS beyond what a key may seal."""
    if not 1 <= settings.DATA_KEY_SEALS <= MOST_MESSAGES // 2:
        raise ConfigurationError(
            f"DATA_KEY_SEALS is not between 1 and {MOST_MESSAGES // 2}. Leave it out for 100 million."
        )


def count_sealed(user_id: UUID, generation: int, sealed: int) -> None:
    """Count values that were sealed under a data key, once the transaction has committed."""
    if whole := steps(sealed, step()):
        transaction.on_commit(partial(add, user_id, generation, whole * step()), robust=True)


def step() -> int:
    """How many values one write stands for."""
    return max(1, settings.DATA_KEY_SEALS // STEPS)


def steps(sealed: int, size: int) -> int:
    """So many whole steps, and by chance one more: on average `sealed / size`."""
    return (sealed + randbelow(size)) // size


def add(user_id: UUID, generation: int, sealed: int) -> None:
    """Write it down."""
    with as_system():
        UserKey.objects.of(user_id).filter(generation=generation).update(sealed=F("sealed") + sealed)
