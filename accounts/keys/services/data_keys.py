"""The data keys of people: made, renewed, opened and destroyed. Each verb is one transaction: check, change, record.

The values that each key seals are counted, so that it is renewed long before its bound (NIST SP 800-38D, 8.3). The
count is probabilistic: each value may, by chance, add a whole step. On average the count equals the number sealed, and
after a thousand steps it is within about 3 % of it. It is written in a transaction of its own, after that of the
sealing, so that writers do not wait for each other.
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

from accounts.keys.errors import ProcessingRestricted
from accounts.keys.master_key import key_address, ring, wrapping_ring
from accounts.models import User, UserKey
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.seal import HIGHEST_GENERATION, KEY_BYTES, MOST_MESSAGES, Address, Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.scopes import as_system, as_user, require_user
from vibe.core.db.statements import bulk, revisions
from vibe.core.db.statements.batching import Statement
from vibe.core.errors import ConfigurationError, InputError

STEPS: Final = 1_024  # from a key's first value to its renewal
KEYS: Final = (
    "SELECT k.id, k.generation, k.wrapped, u.restricted_at IS NOT NULL FROM user_keys AS k "
    "JOIN users AS u ON u.id = k.user_id WHERE k.user_id = {} AND k.destroyed_at IS NULL"
)


def make_data_key(user_id: UUID, *, generation: int) -> None:
    """Make a data key of 32 random bytes, wrapped for its row. Raises WrongMasterKey: see accounts.keys.master_key."""
    row = UserKey(user_id=user_id, generation=generation)
    row.wrapped = wrapping_ring().wrap(os.urandom(KEY_BYTES), key_address(row))
    row.save(force_insert=True)


def renew_data_key(*, user_id: UUID, actor: Actor, instead_of: int | None = None) -> int | None:
    """Give a person a further data key, which seals from now on. Return the new generation.

    Values already sealed stay readable; blind index and cloak keep using the first key. Concurrent renewals wait for
    each other. Return None, and make nothing, if the newest generation is not `instead_of` by then. Raises
    DataKeyMissing when the person's keys were destroyed or never made.
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
    """Destroy a person's data keys, and the name under the master key. Return how many keys; 0 if none were left.

    From then on none of their data opens, here or in any copy without the keys. The rows stay. This is irreversible.
    """
    with as_system():
        destroyed = UserKey.objects.of(user_id).filter(destroyed_at=None).update(wrapped=None, destroyed_at=Now())
        User.objects.filter(pk=user_id, name__isnull=False).update(name=None)
        record(
            actor=actor, action="keys.destroy", subject=user_id, resource="user_keys", details={"destroyed": destroyed}
        )
    return destroyed


def open_vault(*, to_process: bool = False) -> Vault:
    """Open the keys of the person in scope, and as `vault_of` does."""
    user_id = require_user()
    return vault_of(user_id, bulk.run(KEYS.format("%b"), [user_id]), to_process=to_process)


def data_keys(user_id: UUID) -> Statement:
    """Return the statement that reads the rows for `vault_of`, for batching with others."""
    return KEYS.format("%s"), [user_id]


def vault_of(user_id: UUID, rows: Iterable[tuple[UUID, int, bytes, bool]], *, to_process: bool = False) -> Vault:
    """Open a person's keys from the rows of `data_keys`. `to_process` is said by whoever does more than keep and show.

    Raises DataKeyMissing when they were destroyed or never made; with `to_process`, ProcessingRestricted for a person
    whose processing is restricted.
    """
    keys = {}
    for row_id, generation, wrapped, restricted in rows:
        if restricted and to_process:
            raise ProcessingRestricted
        address = Address("user_keys", "wrapped", user_id, row_id, generation)
        keys[generation] = ring().unwrap(Sealed(wrapped), address)
    return Vault(user_id, keys, sealed_anew=revisions.note_sealed, used=partial(count_sealed, user_id))


def require_bound() -> None:
    """Raise ConfigurationError if DATA_KEY_SEALS exceeds what a key may seal."""
    if not 1 <= settings.DATA_KEY_SEALS <= MOST_MESSAGES // 2:
        raise ConfigurationError(
            f"DATA_KEY_SEALS is not between 1 and {MOST_MESSAGES // 2}. Leave it out for 100 million."
        )


def count_sealed(user_id: UUID, generation: int, sealed: int) -> None:
    """Count values that were sealed under a data key, once the transaction has committed."""
    if whole := whole_steps(sealed, step()):
        transaction.on_commit(partial(add_sealed, user_id, generation, whole * step()), robust=True)


def step() -> int:
    """Return how many values one write stands for."""
    return max(1, settings.DATA_KEY_SEALS // STEPS)


def whole_steps(sealed: int, size: int) -> int:
    """Return a number of whole steps, randomly rounded up or down: on average `sealed / size`."""
    return (sealed + randbelow(size)) // size


def add_sealed(user_id: UUID, generation: int, sealed: int) -> None:
    """Add to the stored count of sealed values."""
    with as_system():
        UserKey.objects.of(user_id).filter(generation=generation).update(sealed=F("sealed") + sealed)
