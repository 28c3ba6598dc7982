"""Creation, change and lookup of people's accounts. Each verb is one transaction: check, change, record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact

from accounts.keys.master_key import ring
from accounts.keys.services.data_keys import make_data_key
from accounts.models import User
from accounts.models.people import PROFILE
from accounts.people.names import Name, NameAmbiguous, is_uuid, read_name
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.fields import address_of
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_newcomer, as_sign_in, as_system, as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Rows, Statement
from vibe.core.errors import InputError, NotFound

OWN_NAME: Final = "SELECT id, name FROM users WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of a person, from a verified token or an import."""

    firebase_uid: str
    email: str | None = None
    name: str | None = None
    email_verified: bool = False


def ensure_person(*, profile: Profile, actor: Actor) -> UUID:
    """Return the id of the person with a Firebase UID, created if there is none. Raises InputError."""
    return get_or_create_person(profile=profile, actor=actor)[0]


def get_or_create_person(*, profile: Profile, actor: Actor) -> tuple[UUID, bool]:
    """Return the id of the person with a Firebase UID, and whether they were created now, with their data key.

    Concurrent first requests create one person. Raises InputError when the email belongs to another account.
    """
    with as_sign_in(profile.firebase_uid):
        found = User.objects.filter(firebase_uid=profile.firebase_uid).values_list("pk", flat=True).first()
        if found:
            return found, False
        made = uuid7()
        if not insert_person(made, profile):
            found = User.objects.filter(firebase_uid=profile.firebase_uid).values_list("pk", flat=True).first()
            if found is None:
                raise InputError("The email address belongs to another account. Leave it out, or correct it.")
            return found, False
        with as_newcomer(made, profile.firebase_uid):
            make_data_key(made, generation=1)
            record(actor=actor, action="person.create", subject=made, resource=f"users/{made}")
        return made, True


def get_person(firebase_uid: str) -> User:
    """Return the account of a person by Firebase UID. Raises NotFound."""
    with as_sign_in(firebase_uid):
        found = User.objects.filter(firebase_uid=firebase_uid).only(*PROFILE).first()
    if found is None:
        raise NotFound("There is no such person.")
    return found


def profile_of(user_id: UUID) -> Profile:
    """Return the profile of a person who is there, without their name. Raises NotFound."""
    with as_user(user_id):
        found = User.objects.filter(pk=user_id).only("firebase_uid", "email").first()
    if found is None or found.firebase_uid is None:
        raise NotFound("There is no such person.")
    return Profile(found.firebase_uid, found.email)


def is_known(firebase_uid: str) -> bool:
    """Return whether there is a person with a Firebase UID."""
    with as_sign_in(firebase_uid):
        return User.objects.filter(firebase_uid=firebase_uid).exists()


def update_email(*, user_id: UUID, profile: Profile, actor: Actor) -> bool:
    """Save a person's current email address. Return False, and change nothing, if another account has it."""
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
    """Insert a person unless UID or email exists, after waiting for concurrent inserts. Return whether it was inserted.

    Under a wrong master key, making the data key fails later in the transaction and rolls this back.
    """
    name = None
    if profile.name:
        name = ring().wrap_text(profile.name, address_of(User(pk=user_id), "name")).ciphertext
    with connection.cursor() as cursor:
        # No conflict target: concurrent first requests of one person conflict on the email index as well as on UIDs.
        cursor.execute(
            "INSERT INTO users (id, firebase_uid, email, email_verified, name, password, is_active, is_staff, "
            "is_superuser, updated_at) VALUES (%s, %s, %s, %s, %s, '!', true, false, false, now()) "
            "ON CONFLICT DO NOTHING",
            [user_id, profile.firebase_uid, profile.email, profile.email_verified, name],
        )
        return bool(cursor.rowcount)


def open_name(user: User) -> str:
    """Return a person's name. The caller's scope must be allowed to read it."""
    return ring().unwrap_text(user.name, address_of(user, "name")) if user.name else ""


def own_name(user_id: UUID) -> Statement:
    """Return the statement that reads a person's name inside their scope. `name_in` opens what it finds."""
    return OWN_NAME, [user_id]


def name_in(rows: Rows) -> str:
    """Return the name that `own_name` found; empty if none is known."""
    return "".join(open_name(user) for user in bulk.as_models(User, ("id", "name"), rows))


def find_person(who: str) -> UUID:
    """Return the id of the person of a name (accounts.people.names). Raises NotFound or NameAmbiguous.

    A name without a kind is a Firebase UID or an email address, unless it is one person's UID and another's address.
    """
    name = read_name(who)
    with as_system():
        found = list(User.objects.filter(matching(name), is_staff=False).values_list("pk", flat=True))
    if not found:
        raise NotFound("There is no such person. Give uid: and a Firebase UID, email: and an address, or id: and id.")
    if len(found) > 1:
        raise NameAmbiguous(
            "The name is one person's Firebase UID and another's email address. Write uid: or email: before it."
        )
    return found[0]


def matching(name: Name) -> Q:
    """Return the condition on users for a name."""
    if name.kind == "id":
        return Q(pk=name.value) if is_uuid(name.value) else Q(pk__in=())
    uid, email = Q(firebase_uid=name.value), Q(Exact(Lower("email"), name.value.lower()))
    return {"uid": uid, "email": email}.get(name.kind, uid | email)
