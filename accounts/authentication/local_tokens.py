"""Tokens of this machine's own, so that the API can be tried with nothing configured. Taken with DEBUG on only."""

from __future__ import annotations

import time
from functools import cache
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from accounts.authentication.errors import TokenInvalid
from vibe.core.errors import ConfigurationError

NAME: Final = "vibe-local"
ALGORITHM: Final = "EdDSA"
KEY_ID: Final = "local"


def require_local() -> None:
    """Raises ConfigurationError where such tokens are not taken."""
    if not settings.LOCAL_TOKEN_KEY:
        raise ConfigurationError(
            "Tokens of this machine are for development: they are taken with DEBUG on and without FIREBASE_PROJECT_ID."
        )


def issue(*, uid: str, email: str | None = None, seconds: int = 3600) -> str:
    """A token for whoever it names. Raises ConfigurationError where it would not be taken."""
    require_local()
    now = int(time.time())
    claims = {"iss": NAME, "aud": NAME, "sub": uid, "iat": now, "auth_time": now, "exp": now + seconds}
    if email:
        claims |= {"email": email, "email_verified": True}
    return jwt.encode(claims, private_key(settings.LOCAL_TOKEN_KEY), algorithm=ALGORITHM, headers={"kid": KEY_ID})


def public_key(kid: str) -> Ed25519PublicKey:
    """What they are checked with."""
    if kid != KEY_ID:
        raise TokenInvalid("The token was not made on this machine. Make one with: manage.py issue_token --user WHO")
    return public_half(settings.LOCAL_TOKEN_KEY)


@cache
def public_half(seed: str) -> Ed25519PublicKey:
    """Of the key that is made of a seed."""
    return private_key(seed).public_key()


@cache
def private_key(seed: str) -> Ed25519PrivateKey:
    """Of 64 hexadecimal digits, made once into the state folder."""
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
