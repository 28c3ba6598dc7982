"""From a credential to a caller."""

from __future__ import annotations

from typing import Final

from accounts.api_keys import services as api_keys
from accounts.authentication import people, servers, tokens
from accounts.authentication.caller import Caller
from accounts.authentication.errors import CredentialsMissing, TokenInvalid
from audit.actors import Origin

LONGEST: Final = 8_192  # characters: Firebase's tokens have about 1,000


def authenticate(*, authorization: str, person: str, origin: Origin) -> Caller:
    """Who sends this Authorization header, and the header Vibe-Person with it.

    Raises Unauthenticated, Refused or SignInUnavailable. What is too long is refused before it is looked at.
    """
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialsMissing()
    if len(authorization) > LONGEST:
        raise TokenInvalid(f"The token is longer than {LONGEST} characters, which none of ours is.")
    credential = credential.strip()
    if credential.startswith(api_keys.PREFIX):
        return servers.sign_in_server(credential, person=person.strip(), origin=origin)
    return people.sign_in_person(tokens.verify(credential), origin)
