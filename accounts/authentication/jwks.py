"""Cache of the public keys that an issuer publishes (JWKS, RFC 7517), looked up by id.

- Keys are cached for the max-age of the response; the next token after that fetches them again.
- An unknown id fetches them too, at most every REFETCH seconds: keys roll over, and junk tokens must not set the pace
  of our calls.
- While they cannot be fetched, known keys stay valid for `grace` seconds past their expiry.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from accounts.authentication.errors import SignInUnavailable, TokenInvalid

logger = logging.getLogger(__name__)
REFETCH: Final = 30.0  # seconds between two calls for an unknown id
RETRY: Final = 5.0  # seconds after a call that failed
SECONDS: Final = 3.0  # for one call in total
MOST_BYTES: Final = 256 * 1024
SHORTEST, LONGEST, UNSAID = 60, 86_400, 3_600  # bounds of max-age, and its default
MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Published:
    """The result of one call."""

    keys: dict[str, Any]
    max_age: int


class KeysNotHad(Exception):
    """The keys could not be fetched. The message gives the reason, never what was received."""


class KeySet:
    """The keys of one issuer, shared by all threads of a process."""

    def __init__(
        self,
        fetch: Callable[[], Published],
        *,
        grace: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._grace, self._clock = fetch, grace, clock
        self._keys: dict[str, Any] = {}
        self._fresh_until = self._tried_at = float("-inf")
        self._failed = False
        self._lock = threading.Lock()

    def key(self, kid: str) -> Any:
        """Return the key of an id. Raises TokenInvalid if it is unknown, SignInUnavailable while that is uncertain."""
        if kid not in self._keys or self._clock() >= self._fresh_until:
            self._renew(kid)
        if self._clock() >= self._fresh_until + self._grace:
            raise SignInUnavailable("The keys that tokens are checked with cannot be had. Try again shortly.")
        if kid in self._keys:
            return self._keys[kid]
        if self._failed:  # it may be a new key that we could not fetch
            raise SignInUnavailable("The keys that tokens are checked with cannot be had. Try again shortly.")
        raise TokenInvalid("The token is signed with a key that its issuer does not publish. Sign in again.")

    def _renew(self, kid: str) -> None:
        """Fetch the keys again if due. If the key is known, do not wait for another thread's call."""
        if not self._lock.acquire(blocking=kid not in self._keys):
            return
        try:
            now = self._clock()
            due = self._tried_at + (RETRY if self._failed else REFETCH)
            if now < due or (kid in self._keys and now < self._fresh_until):
                return
            self._tried_at = now
            self._take(self._fetch())
        except KeysNotHad as problem:
            self._failed = True
            logger.warning("The keys that tokens are checked with cannot be had: %s", problem)
        finally:
            self._lock.release()

    def _take(self, published: Published) -> None:
        self._keys, self._failed = published.keys, False
        self._fresh_until = self._clock() + published.max_age


def fetch_keys(url: str) -> Published:
    """Fetch the keys from `url`. Raises KeysNotHad for an answer that is no key set, too long or too slow."""
    ends = time.monotonic() + SECONDS
    try:
        with httpx2.stream("GET", url, timeout=SECONDS, headers={"Accept-Encoding": "identity"}) as answer:
            if answer.status_code != 200:
                raise KeysNotHad(f"status {answer.status_code}")
            body = bytearray()
            for piece in answer.iter_raw():
                body += piece
                if len(body) > MOST_BYTES or time.monotonic() > ends:
                    raise KeysNotHad("the answer is too long or too slow")
            return Published(read_keys(bytes(body)), max_age(answer.headers))
    except httpx2.HTTPError as problem:
        raise KeysNotHad(type(problem).__name__) from None


def read_keys(body: bytes) -> dict[str, Any]:
    """Return the RSA signing keys by id, without unreadable ones. Raises KeysNotHad if none is left."""
    try:
        listed = json.loads(body)["keys"]
        entries = [entry for entry in listed if entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise KeysNotHad("the answer is not a set of keys") from None
    keys = {entry["kid"]: key for entry in entries if isinstance(entry.get("kid"), str) if (key := read_key(entry))}
    if not keys:
        raise KeysNotHad("the answer has no key that can be used")
    return keys


def read_key(entry: dict[str, Any]) -> Any:
    """Return the key, or None if it is invalid or shorter than 2048 bits."""
    try:
        key = PyJWK(entry, algorithm="RS256").key
    except (PyJWTError, ValueError, TypeError):
        return None
    return key if key.key_size >= 2048 else None


def max_age(headers: Mapping[str, str]) -> int:
    """Return how many seconds an answer stays fresh: max-age less its age in caches (RFC 9111, 4.2)."""
    found = MAX_AGE.search(headers.get("cache-control", "").lower())
    age = headers.get("age", "")
    spent = int(age) if age.isdecimal() and len(age) < 10 else 0
    return min(max(int(found[1]) - spent, SHORTEST), LONGEST) if found else UNSAID
