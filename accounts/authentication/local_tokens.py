"""Locally issued tokens, to try the API without configuration. Accepted only with DEBUG on."""

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
    """Raise ConfigurationError if local tokens are not accepted."""
    if not settings.LOCAL_TOKEN_KEY:
        raise ConfigurationError(
            "Tokens of this machine are for development: they are taken with DEBUG on and without FIREBASE_PROJECT_ID."
        )


def issue(*, uid: str, email: str | None = None, seconds: int = 3600, companion: str | None = None) -> str:
    """Issue a token for this Firebase UID. Raises ConfigurationError if it would not be accepted."""
    require_local()
    now = int(time.time())
    claims = {"iss": NAME, "aud": NAME, "sub": uid, "iat": now, "auth_time": now, "exp": now + seconds}
    if email:
        claims |= {"email": email, "email_verified": True}
    if companion:
        claims["vibe_companion"] = companion
    return jwt.encode(claims, private_key(settings.LOCAL_TOKEN_KEY), algorithm=ALGORITHM, headers={"kid": KEY_ID})


def public_key(kid: str) -> Ed25519PublicKey:
    """Return the key that verifies local tokens. Raises TokenInvalid for another key id."""
    if kid != KEY_ID:
        raise TokenInvalid("The token was not made on this machine. Make one with: manage.py issue_token --user WHO")
    return public_half(settings.LOCAL_TOKEN_KEY)


@cache
def public_half(seed: str) -> Ed25519PublicKey:
    """Return the public key of a seed."""
    return private_key(seed).public_key()


@cache
def private_key(seed: str) -> Ed25519PrivateKey:
    """Return the private key of a seed: 64 hexadecimal digits, created once in the state folder."""
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
