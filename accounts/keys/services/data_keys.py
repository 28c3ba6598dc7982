"""The data keys of people: made, renewed, opened and destroyed. Each verb is one transaction: check, change, record.

How many values each has sealed is counted, so that it is renewed long before its bound (NIST SP 800-38D, 8.3). By
chance: not every value writes, but each has its share in one write of a whole step. What is written is on average what
was sealed, and after a thousand steps within about 3 % of it. The write has a transaction of its own, after that of the
sealing, so that nobody waits for anybody's count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from secrets import randbelow
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.keys.master_key import ring, wrapping_ring
from accounts.models import User, UserKey
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.seal import HIGHEST_GENERATION, KEY_BYTES, MOST_MESSAGES
from vibe.core.crypto.sealed import Address, Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.scopes import as_system, as_user, require_user
from vibe.core.db.statements import bulk, revisions
from vibe.core.db.statements.batching import Statement
from vibe.core.errors import ConfigurationError, InputError

STEPS: Final = 1_024  # from a key's first value to its renewal
KEYS: Final = "SELECT id, generation, wrapped FROM user_keys WHERE user_id = {} AND destroyed_at IS NULL"


def make_data_key(user_id: UUID, *, generation: int) -> None:
    """A new data key, 32 random bytes, wrapped for its own row. Raises WrongMasterKey: see accounts.keys.master_key."""
    row = UserKey(user_id=user_id, generation=generation)
    row.wrapped = wrapping_ring().wrap(os.urandom(KEY_BYTES), key_address(row))
    row.save(force_insert=True)


def renew_data_key(*, user_id: UUID, actor: Actor, instead_of: int | None = None) -> int | None:
    """Give a person a further data key, which seals from now on. The new generation.

    What is sealed already stays as it is and opens; blind index and cloak stay those of the first. Two renewals at
    once wait for each other; nothing is made, and None returned, where another generation than `instead_of` seals by
    then. Raises DataKeyMissing when the person's keys were destroyed or never made.
    """
    with as_user(user_id), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"user_keys/{user_id}"])
        newest = open_vault().generation
        if instead_of not in (None, newest):
            return None
        generation = newest + 1
        if generation > HIGHEST_GENERATION:
            raise InputError(f"Person {user_id} has had {HIGHEST_GENERATION} data keys, which is all there can be.")
        make_data_key(user_id, generation=generation)
        record(
            actor=actor, action="keys.renew", subject=user_id, resource="user_keys", details={"generation": generation}
        )
    return generation


def destroy_data_keys(*, user_id: UUID, actor: Actor) -> int:
    """Destroy a person's data keys, and the name that the master key protects. How many keys; 0 when all were gone.

    From then on nothing of theirs opens, here or in any copy without the keys. The rows stay, and cannot be undone.
    """
    with as_system():
        destroyed = UserKey.objects.of(user_id).filter(destroyed_at=None).update(wrapped=None, destroyed_at=Now())
        User.objects.filter(pk=user_id, name__isnull=False).update(name=None)
        record(
            actor=actor, action="keys.destroy", subject=user_id, resource="user_keys", details={"destroyed": destroyed}
        )
    return destroyed


def key_address(row: UserKey) -> Address:
    """Where a wrapped data key belongs. The generation takes the place of a revision."""
    return Address("user_keys", "wrapped", row.user_id, row.pk, row.generation)


def open_vault() -> Vault:
    """The keys of the person whose scope this is. Raises DataKeyMissing when they were destroyed or never made."""
    user_id = require_user()
    return vault_of(user_id, bulk.run(KEYS.format("%b"), [user_id]))


def data_keys(user_id: UUID) -> Statement:
    """The statement that reads what `vault_of` opens, to go in one round trip with others."""
    return KEYS.format("%s"), [user_id]


def vault_of(user_id: UUID, rows: Iterable[tuple[UUID, int, bytes]]) -> Vault:
    """The keys of a person, from the rows of `data_keys`. Raises DataKeyMissing as above."""
    keys = {
        generation: ring().unwrap(Sealed(wrapped), Address("user_keys", "wrapped", user_id, row_id, generation))
        for row_id, generation, wrapped in rows
    }
    return Vault(user_id, keys, sealed_anew=revisions.note_sealed, used=partial(count_sealed, user_id))


def require_bound() -> None:
    """Raise ConfigurationError for a DATA_KEY_SEALS beyond what a key may seal."""
    if not 1 <= settings.DATA_KEY_SEALS <= MOST_MESSAGES // 2:
        raise ConfigurationError(
            f"DATA_KEY_SEALS is not between 1 and {MOST_MESSAGES // 2}. Leave it out for 100 million."
        )


def count_sealed(user_id: UUID, generation: int, sealed: int) -> None:
    """Count values that were sealed under a data key, once the transaction has committed."""
    if whole := whole_steps(sealed, step()):
        transaction.on_commit(partial(add_sealed, user_id, generation, whole * step()), robust=True)


def step() -> int:
    """How many values one write stands for."""
    return max(1, settings.DATA_KEY_SEALS // STEPS)


def whole_steps(sealed: int, size: int) -> int:
    """So many whole steps, and by chance one more: on average `sealed / size`."""
    return (sealed + randbelow(size)) // size


def add_sealed(user_id: UUID, generation: int, sealed: int) -> None:
    """Write it down."""
    with as_system():
        UserKey.objects.of(user_id).filter(generation=generation).update(sealed=F("sealed") + sealed)
