"""What happens to accounts and keys. Each verb is one transaction: check, change, record."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact

from accounts import key_use
from accounts.master_key import ring, wrapping_ring
from accounts.models import User, UserKey
from audit.actors import Actor
from audit.services import record
from vibe.crypto.address import Address
from vibe.crypto.derive import KEY_BYTES
from vibe.crypto.fields import address_of
from vibe.crypto.seal import HIGHEST_GENERATION
from vibe.crypto.sealed import Sealed
from vibe.crypto.vault import Vault
from vibe.db import bulk, revisions
from vibe.db.contexts import as_newcomer, as_sign_in, as_system, as_user, require_user
from vibe.db.owned import uuid7
from vibe.db.trips import Asked
from vibe.errors import InputError, NotFound

KEYS = "SELECT id, generation, wrapped FROM user_keys WHERE user_id = {} AND destroyed_at IS NULL"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person who comes in: from a verified token, or from an import."""

    firebase_uid: str
    email: str | None = None
    name: str | None = None
    email_verified: bool = False


def ensure_person(*, profile: Profile, actor: Actor) -> UUID:
    """The id of the person of a Firebase UID; the first time, person and data key are made together.

    Two first requests at once make one person. Raises InputError when the email belongs to somebody else.
    """
    with as_sign_in(profile.firebase_uid):
        found = User.objects.filter(firebase_uid=profile.firebase_uid).values_list("pk", flat=True).first()
        if found:
            return found
        made = uuid7()
        if not insert_person(made, profile):
            found = User.objects.filter(firebase_uid=profile.firebase_uid).values_list("pk", flat=True).first()
            if found is None:
                raise InputError("The email address belongs to another account. Leave it out, or correct it.")
            return found
        with as_newcomer(made, profile.firebase_uid):
            make_data_key(made, generation=1)
            record(actor=actor, action="person.create", subject=made, resource=f"users/{made}")
        return made


def is_known(firebase_uid: str) -> bool:
    """Whether there is a person of a Firebase UID."""
    with as_sign_in(firebase_uid):
        return User.objects.filter(firebase_uid=firebase_uid).exists()


def update_email(*, user_id: UUID, profile: Profile, actor: Actor) -> bool:
    """Keep the address a person signs in with now. False, and nothing changed, where another account has it."""
    try:
        with transaction.atomic(), as_user(user_id):
            User.objects.filter(pk=user_id).update(
                email=profile.email, email_verified=profile.email_verified, updated_at=Now()
            )
            record(actor=actor, action="person.email", subject=user_id, resource=f"users/{user_id}")
    except IntegrityError:
        return False
    return True


def insert_person(user_id: UUID, profile: Profile) -> bool:
    """Insert unless the UID is there by now, waiting for whoever is just inserting it. Whether it was inserted.

    The data key that follows in the transaction is not made under a wrong master key, and then neither is this.
    """
    name = None
    if profile.name:
        name = ring().wrap_text(profile.name, address_of(User(pk=user_id), "name")).ciphertext
    with connection.cursor() as cursor:
        # No target: two first requests of one person meet in the index of emails as well as in that of UIDs.
        cursor.execute(
            "INSERT INTO users (id, firebase_uid, email, email_verified, name, password, is_active, is_staff, "
            "is_superuser, updated_at) VALUES (%s, %s, %s, %s, %s, '!', true, false, false, now()) "
            "ON CONFLICT DO NOTHING",
            [user_id, profile.firebase_uid, profile.email, profile.email_verified, name],
        )
        return bool(cursor.rowcount)


def make_data_key(user_id: UUID, *, generation: int) -> None:
    """A new data key, 32 random bytes, wrapped for its own row. Raises WrongMasterKey: see accounts.master_key."""
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


def data_keys(user_id: UUID) -> Asked:
    """The statement that reads what `vault_of` opens, to go in one round trip with others."""
    return KEYS.format("%s"), [user_id]


def vault_of(user_id: UUID, rows: Iterable[tuple[UUID, int, bytes]]) -> Vault:
    """The keys of a person, from the rows of `data_keys`. Raises DataKeyMissing as above."""
    keys = {
        generation: ring().unwrap(Sealed(wrapped), Address("user_keys", "wrapped", user_id, row_id, generation))
        for row_id, generation, wrapped in rows
    }
    return Vault(user_id, keys, sealed_anew=revisions.note, used=partial(key_use.count, user_id))


def open_name(user: User) -> str:
    """A person's name. The caller's scope must let it be read."""
    return ring().unwrap(user.name, address_of(user, "name")).decode() if user.name else ""


def find_person(who: str) -> UUID:
    """The id of a person by Firebase UID, email or id. Raises NotFound."""
    names = Q(firebase_uid=who) | Q(Exact(Lower("email"), who.lower()))
    if is_uuid(who):
        names |= Q(pk=who)
    with as_system():
        found = User.objects.filter(names, is_staff=False).values_list("pk", flat=True).first()
    if not found:
        raise NotFound("There is no such person. Give a Firebase UID, an email address or an id.")
    return found


def is_uuid(text: str) -> bool:
    """Whether a text reads as a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
