"""Sign-in to the API: a person by their ID token, or a server by its API key for the person it names."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import OperationalError

from accounts.api_keys import services as api_keys
from accounts.authentication import tokens
from accounts.authentication.caller import Caller
from accounts.authentication.errors import (
    ApiKeyInvalid,
    CredentialsMissing,
    Deactivated,
    EmailUnverified,
    PersonNotNamed,
    PersonUnknown,
    TokenInvalid,
    TokenRevoked,
)
from accounts.authentication.firebase import firebase
from accounts.authentication.tokens import UID_LENGTH, Claims
from accounts.models import ApiKey, User
from accounts.people.names import is_uuid, read_name
from accounts.people.services.people import Profile, ensure_person, update_email
from audit.actors import Actor, Origin
from vibe.core.db.citus_nodes import away, some_away
from vibe.core.db.roles import SIGN_IN
from vibe.core.db.scopes import Scope, as_api_key, as_sign_in, as_user, query_in_scope
from vibe.core.errors import InputError

LONGEST: Final = 8_192  # characters: Firebase's tokens have about 1,000
STANDING: Final = ("id", "is_active", "email", "email_verified", "last_login", "tokens_valid_since")
LOOK_UP: Final = f"SELECT {', '.join(STANDING)} FROM users WHERE firebase_uid = %s"  # noqa: S608  # names of ours


def authenticate(*, authorization: str, person: str, origin: Origin) -> Caller:
    """Return the caller for the headers Authorization and Vibe-Person.

    Raises Unauthenticated, Refused or SignInUnavailable. Refuses an overlong header before parsing it.
    """
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialsMissing()
    if len(authorization) > LONGEST:
        raise TokenInvalid(f"The token is longer than {LONGEST} characters, which none of ours is.")
    credential = credential.strip()
    if credential.startswith(api_keys.PREFIX):
        return sign_in_server(credential, person=person.strip(), origin=origin)
    return sign_in_person(tokens.verify(credential), origin)


def sign_in_person(claims: Claims, origin: Origin) -> Caller:
    """Sign in the person of a verified token. Create them at their first sign-in.

    Raises Deactivated, TokenRevoked or EmailUnverified.
    """
    policy = firebase().unverified_email
    if policy == "refuse" and claims.email and not claims.email_verified:
        raise EmailUnverified()
    known = account_status(claims)
    if known is None:
        make(claims.profile(unverified_email=policy), origin)
        known = account_status(claims)
    if known is None or not known["is_active"]:
        raise Deactivated()
    if known["tokens_valid_since"] and claims.signed_in_at < known["tokens_valid_since"]:
        raise TokenRevoked()
    keep_email(known, claims, origin)
    return Caller(known["id"], "token", issuer=claims.issuer, origin=origin, companion=claims.companion)


def account_status(claims: Claims) -> Any:
    """Read the status of the account; None if there is none yet. Save the time of a newer sign-in."""
    for row in query_in_scope(Scope(SIGN_IN, firebase_uid=claims.uid), LOOK_UP, [claims.uid]):
        known = dict(zip(STANDING, row, strict=True))
        if known["last_login"] is None or known["last_login"] < claims.signed_in_at:
            note_sign_in(claims)
        return known
    return None


def note_sign_in(claims: Claims) -> None:
    """Save the time of a sign-in. A later request does it while a node of a cluster is away: accounts are on each."""
    if some_away():
        return
    try:
        with as_sign_in(claims.uid):
            User.objects.filter(firebase_uid=claims.uid).update(last_login=claims.signed_in_at)
    except OperationalError:
        if not away():
            raise


def make(profile: Profile, origin: Origin) -> UUID:
    """Create person and data key. Omit an email address of another account, so that it does not block sign-in."""
    actor = Actor.system("sign-in", origin)
    try:
        return ensure_person(profile=profile, actor=actor)
    except InputError:
        return ensure_person(profile=Profile(profile.firebase_uid, name=profile.name), actor=actor)


def keep_email(known: Any, claims: Claims, origin: Origin) -> None:
    """Save an email address that was verified or changed since."""
    said = claims.profile(unverified_email=firebase().unverified_email)
    if said.email is None or (said.email, said.email_verified) == (known["email"], known["email_verified"]):
        return
    update_email(user_id=known["id"], profile=said, actor=Actor.person(known["id"], origin))


def sign_in_server(credential: str, *, person: str, origin: Origin) -> Caller:
    """Sign in a server for the person it names by id or Firebase UID. Raises ApiKeyInvalid, InputError, NameAmbiguous,
    PersonNotNamed, PersonUnknown or Deactivated.
    """
    name = read_name(person)
    if name.kind == "email":
        raise InputError("The header Vibe-Person takes no address. Name the person by uid: or id:.")
    if len(name.value) > UID_LENGTH or not name.value.isprintable() or (person and not name.value):
        raise PersonUnknown()
    uid = "" if name.kind == "id" else name.value
    digest = api_keys.digest_of(credential)
    with as_api_key(digest, firebase_uid=uid):
        key = ApiKey.objects.filter(digest=digest).first()
        if key is None or not api_keys.is_usable(key):
            raise ApiKeyInvalid()
        api_keys.note_use(key)
        account = accounts().filter(firebase_uid=uid).first() if uid else None
    if not name.value and key.person is None:
        raise PersonNotNamed(key.pk, frozenset(key.scopes), api_keys.companion_of(credential))
    if not uid:
        account = account_of(name.value or str(key.person))
    user_id = account_acted_for(key, account)
    return Caller(
        user_id,
        "api_key",
        frozenset(key.scopes),
        api_key=key.pk,
        origin=origin,
        client=f"api-key {key.pk}",
        companion=api_keys.companion_of(credential),
    )


def account_acted_for(key: ApiKey, account: Any) -> Any:
    """Return the account's id if the key may act for it. Raises PersonUnknown or Deactivated."""
    if account is None or key.person not in (None, account["pk"]):
        raise PersonUnknown()
    if not account["is_active"]:
        raise Deactivated()
    return account["pk"]


def account_of(person: str) -> Any:
    """Read id and status of a person's account by id; None if there is none."""
    if not is_uuid(person):
        return None
    with as_user(person):  # type: ignore[arg-type]  # it reads texts too
        return accounts().filter(pk=person).first()


def accounts() -> Any:
    """Return the accounts of people that are visible in the scope."""
    return User.objects.filter(is_staff=False).values("pk", "is_active")
