"""A person whose token was verified comes in; the first time, they are made."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from accounts.authentication.caller import Caller
from accounts.authentication.claims import Claims
from accounts.authentication.errors import Deactivated, EmailUnverified, TokenRevoked
from accounts.authentication.firebase import firebase
from accounts.models import User
from accounts.people.services.people import Profile, ensure_person, update_email
from audit.actors import Actor, Origin
from vibe.core.db.roles import SIGN_IN
from vibe.core.db.scopes import Scope, as_sign_in, query_in_scope
from vibe.core.errors import InputError

logger = logging.getLogger(__name__)
STANDING = ("id", "is_active", "email", "email_verified", "last_login", "tokens_valid_since")
LOOK_UP = f"SELECT {', '.join(STANDING)} FROM users WHERE firebase_uid = %s"  # noqa: S608  # names of ours


def sign_in_person(claims: Claims, origin: Origin) -> Caller:
    """The person of a verified token. Raises Deactivated, TokenRevoked or EmailUnverified."""
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
    return Caller(known["id"], "token", issuer=claims.issuer, origin=origin)


def account_status(claims: Claims) -> Any:
    """How the account stands, or None where there is none yet. A newer sign-in is noted."""
    for row in query_in_scope(Scope(SIGN_IN, firebase_uid=claims.uid), LOOK_UP, [claims.uid]):
        known = dict(zip(STANDING, row, strict=True))
        if known["last_login"] is None or known["last_login"] < claims.signed_in_at:
            with as_sign_in(claims.uid):
                User.objects.filter(firebase_uid=claims.uid).update(last_login=claims.signed_in_at)
        return known
    return None


def make(profile: Profile, origin: Origin) -> UUID:
    """Person and data key. An email address that another account has is left out: it must not keep anybody out."""
    actor = Actor.system("sign-in", origin)
    try:
        return ensure_person(profile=profile, actor=actor)
    except InputError:
        return ensure_person(profile=Profile(profile.firebase_uid, name=profile.name), actor=actor)


def keep_email(known: Any, claims: Claims, origin: Origin) -> None:
    """An address that was verified or changed since is kept."""
    said = claims.profile(unverified_email=firebase().unverified_email)
    if said.email is None or (said.email, said.email_verified) == (known["email"], known["email_verified"]):
        return
    update_email(user_id=known["id"], profile=said, actor=Actor.person(known["id"], origin))
