"""Verification of ID tokens: signature, audience, validity period (OpenID Connect Core, 3.1.3.7) and claims.

A token does not choose its own verification: algorithm and keys come from the configured issuer.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any, Final, Self

import jwt
from django.conf import settings
from jwt.exceptions import ExpiredSignatureError, InvalidAudienceError, InvalidIssuerError, PyJWTError

from accounts.authentication import local_tokens
from accounts.authentication.errors import SignInUnavailable, TokenExpired, TokenInvalid
from accounts.authentication.firebase import firebase
from accounts.authentication.jwks import KeySet, fetch_keys
from accounts.companions import LONGEST_COMPANION
from accounts.people.services.people import Profile

UID_LENGTH, EMAIL_LENGTH, NAME_LENGTH = 128, 254, 200
COMPANION: Final = "vibe_companion"
"""The claim of a token that opens the conversations with one companion alone."""
LATEST: Final = 2**37  # seconds, in the year 6325: beyond 9999 there are no dates
MOST_PROVEN: Final = 10_000  # about 10 MB
REQUIRED: Final = ["exp", "iat", "aud", "iss", "sub", "auth_time"]


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of an ID token: the person, and when they signed in. Email and name are left out of the repr."""

    issuer: str
    uid: str
    signed_in_at: datetime
    email: str | None = field(default=None, repr=False)
    email_verified: bool = False
    name: str | None = field(default=None, repr=False)
    companion: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, issuer: str, claims: Mapping[str, Any]) -> Self:
        """Read the claims. Raises TokenInvalid for an invalid `sub`, `auth_time` or `vibe_companion`."""
        uid, at, companion = claims.get("sub"), claims.get("auth_time"), claims.get(COMPANION)
        if not isinstance(uid, str) or not 0 < len(uid) <= UID_LENGTH or not uid.isprintable():
            raise TokenInvalid("The token names nobody ('sub'). Sign in again.")
        if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < LATEST:
            raise TokenInvalid("The token does not say when its person signed in ('auth_time'). Sign in again.")
        if companion is not None and not (isinstance(companion, str) and 0 < len(companion) <= LONGEST_COMPANION):
            raise TokenInvalid(f"The token is bound to a companion that is none ('{COMPANION}'). Sign in again.")
        return cls(
            issuer,
            uid,
            datetime.fromtimestamp(at, UTC),
            email=fitting(claims.get("email"), EMAIL_LENGTH),
            email_verified=claims.get("email_verified") is True,
            name=fitting(claims.get("name"), NAME_LENGTH),
            companion=companion,
        )

    def profile(self, *, unverified_email: str) -> Profile:
        """Return the profile to store. An unverified address is dropped unless accepted: it may be somebody else's."""
        kept = self.email if self.email_verified or unverified_email == "accept" else None
        return Profile(self.uid, email=kept, name=self.name, email_verified=bool(kept and self.email_verified))


def fitting(value: Any, length: int) -> str | None:
    """Return a text that its column can hold, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= length and value.isprintable() else None


@dataclass(frozen=True, slots=True)
class Issuer:
    """An accepted issuer of tokens, and how it signs them. Without `key`, tokens are unsigned."""

    label: str
    name: str
    audience: str
    algorithm: str
    key: Callable[[str], Any] | None
    skew: int

    def same_as(self, other: Issuer) -> bool:
        """Return whether both issue the same tokens."""
        return (self.label, self.name, self.audience) == (other.label, other.name, other.audience)


@dataclass(frozen=True, slots=True)
class Proven:
    """The claims of a verified token, with the issuer, key and validity period they depend on."""

    by: Issuer
    kid: str
    key: Any
    since: float
    until: float
    claims: Claims


proven: OrderedDict[bytes, Proven] = OrderedDict()
lock = Lock()


def verify(token: str) -> Claims:
    """Verify a token and return its claims. Raises TokenInvalid or SignInUnavailable.

    A signature is verified once. Until the token expires, its claims are then found by the digest of the whole token,
    as long as the issuer is the configured one and still publishes the key.
    """
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    return cached_proof(digest) or prove_and_cache(digest, token)


def cached_proof(digest: bytes) -> Claims | None:
    """Return the cached claims if they are still valid, or None."""
    before = proven.get(digest)
    if before is None or not before.since <= time.time() < before.until:
        return None
    issuer = configured_issuer()
    same = issuer.key and issuer.same_as(before.by) and issuer.key(before.kid) is before.key
    return before.claims if same else None


def prove_and_cache(digest: bytes, token: str) -> Claims:
    """Verify a token and cache its claims."""
    issuer = configured_issuer()
    claims, header, times = prove(token, issuer)
    if issuer.key:
        found = Proven(issuer, header["kid"], issuer.key(header["kid"]), *times, claims)
        with lock:
            proven[digest] = found
            while len(proven) > MOST_PROVEN:
                proven.popitem(last=False)
    return claims


def prove(token: str, issuer: Issuer) -> tuple[Claims, Mapping[str, Any], tuple[float, float]]:
    """Verify a token. Return its claims, its header, and the period in which it is valid."""
    try:
        header = jwt.get_unverified_header(token)
        claims = verified_claims(token, header, issuer)
    except ExpiredSignatureError:
        raise TokenExpired() from None
    except (InvalidAudienceError, InvalidIssuerError):
        raise TokenInvalid("The token was made for another service. Sign in to this one.") from None
    except (PyJWTError, ValueError, TypeError, RecursionError, OverflowError):
        raise TokenInvalid() from None
    said = Claims.read(issuer.label, claims)
    if said.signed_in_at.timestamp() > time.time() + issuer.skew:
        raise TokenInvalid("The token's person has not signed in yet ('auth_time'). Set the clocks right.")
    begins = max(int(claims["iat"]), int(claims.get("nbf", 0)), said.signed_in_at.timestamp())  # "1" is taken for 1
    return said, header, (begins - issuer.skew, int(claims["exp"]) + issuer.skew)


def verified_claims(token: str, header: Mapping[str, Any], issuer: Issuer) -> dict[str, Any]:
    """Return the claims of a token with a valid signature, or of an unsigned one if the issuer has no key."""
    if header.get("alg") != issuer.algorithm:
        raise TokenInvalid(f"The token is not signed with {issuer.algorithm}. Send an ID token of this service.")
    checks: dict[str, Any] = {"require": REQUIRED, "strict_aud": True}
    if issuer.key is None:
        if token.rpartition(".")[2]:
            raise TokenInvalid("An emulator's token has no signature.")
        checks |= {"verify_signature": False, **{f"verify_{claim}": True for claim in ("exp", "iat", "aud", "iss")}}
        return decode_token(token, None, issuer, checks)
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise TokenInvalid("The token does not say which key it is signed with ('kid').")
    return decode_token(token, issuer.key(kid), issuer, checks)


def decode_token(token: str, key: Any, issuer: Issuer, checks: Any) -> dict[str, Any]:
    return jwt.decode(
        token,
        key,
        algorithms=[issuer.algorithm],
        audience=issuer.audience,
        issuer=issuer.name,
        leeway=issuer.skew,
        options=checks,
    )


def configured_issuer() -> Issuer:
    """Return the configured issuer. Raises SignInUnavailable if there is none."""
    configured = firebase()
    if configured.emulator and settings.DEBUG:
        return Issuer("emulator", configured.issuer, configured.project, "none", None, configured.clock_skew)
    if configured.project and not configured.emulator:
        return Issuer(
            *("firebase", configured.issuer, configured.project, "RS256"),
            key=keys_of(configured.keys_url, configured.keys_grace).key,
            skew=configured.clock_skew,
        )
    if settings.LOCAL_TOKEN_KEY and not configured.emulator:
        return Issuer(
            "local",
            local_tokens.NAME,
            local_tokens.NAME,
            local_tokens.ALGORITHM,
            local_tokens.public_key,
            configured.clock_skew,
        )
    raise SignInUnavailable("Signing in with tokens is not set up here: FIREBASE_PROJECT_ID is not set.")


@cache
def keys_of(url: str, grace: int) -> KeySet:
    """Return the key set of a URL, one for each process."""
    return KeySet(lambda: fetch_keys(url), grace=grace)
