"""A server with an API key comes in, for the person whom it names."""

from __future__ import annotations

from typing import Any

from accounts.api_keys import services as api_keys
from accounts.authentication.caller import Caller
from accounts.authentication.claims import UID_LENGTH
from accounts.authentication.errors import ApiKeyInvalid, Deactivated, PersonUnknown
from accounts.models import ApiKey, User
from accounts.people.services.people import is_uuid
from audit.actors import Origin
from vibe.core.db.scopes import as_api_key, as_user
from vibe.core.errors import InputError


def sign_in_server(credential: str, *, person: str, origin: Origin) -> Caller:
    """The person a key acts for, named by id or Firebase UID. Raises ApiKeyInvalid, InputError, PersonUnknown or
    Deactivated.
    """
    if len(person) > UID_LENGTH or not person.isprintable():
        raise PersonUnknown()
    digest = api_keys.digest_of(credential)
    with as_api_key(digest, firebase_uid=person):
        key = ApiKey.objects.filter(digest=digest).first()
        if key is None or not api_keys.is_usable(key):
            raise ApiKeyInvalid()
        api_keys.note_use(key)
        account = accounts().filter(firebase_uid=person).first() if person and not is_uuid(person) else None
    user_id = account_acted_for(key, account or account_of(person or str(key.person or "")))
    return Caller(user_id, "api_key", frozenset(key.scopes), api_key=key.pk, origin=origin, client=f"api-key {key.pk}")


def account_acted_for(key: ApiKey, account: Any) -> Any:
    """The id of that account, if the key may act for it."""
    if account is None or key.person not in (None, account["pk"]):
        raise PersonUnknown()
    if not account["is_active"]:
        raise Deactivated()
    return account["pk"]


def account_of(person: str) -> Any:
    """How the account of a person's id stands; None where there is none. Raises InputError where nobody is named."""
    if not person:
        raise InputError("An API key acts for a person: name them in the header Vibe-Person, by id or Firebase UID.")
    if not is_uuid(person):
        return None
    with as_user(person):  # type: ignore[arg-type]  # it reads texts too
        return accounts().filter(pk=person).first()


def accounts() -> Any:
    """Accounts of people, as far as the scope sees them."""
    return User.objects.filter(is_staff=False).values("pk", "is_active")
