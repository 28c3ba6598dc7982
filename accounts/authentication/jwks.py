"""The public keys that an issuer publishes (JWKS, RFC 7517), kept as long as it says and looked up by their id.

- Kept for the max-age of the answer; after that the next token asks again.
- An id that is not among them asks again too, at most every REFETCH seconds: keys roll over, and
  junk must not make us call at the sender's pace.
- While they cannot be had, known keys go on for `grace` seconds past their time.
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
SECONDS: Final = 3.0  # for one call, all in all
MOST_BYTES: Final = 256 * 1024
SHORTEST, LONGEST, UNSAID = 60, 86_400, 3_600  # bounds of what max-age is believed, and what no max-age means
MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Published:
    """What one call brought."""

    keys: dict[str, Any]
    max_age: int


class KeysNotHad(Exception):
    """The keys could not be had. Says why, never what was sent."""


class KeySet:
    """One issuer's keys, for all threads of a process."""

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
        """The key of that id. Raises TokenInvalid for an unknown one, SignInUnavailable while there is no telling."""
        if kid not in self._keys or self._clock() >= self._fresh_until:
            self._renew(kid)
        if self._clock() >= self._fresh_until + self._grace:
            raise SignInUnavailable("The keys that tokens are checked with cannot be had. Try again shortly.")
        if kid in self._keys:
            return self._keys[kid]
        if self._failed:  # it may be one that we could not learn of
            raise SignInUnavailable("The keys that tokens are checked with cannot be had. Try again shortly.")
        raise TokenInvalid("The token is signed with a key that its issuer does not publish. Sign in again.")

    def _renew(self, kid: str) -> None:
        """Ask again if it is due. Who has a key that will do does not wait for somebody else's call."""
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
    """Call `url`. Raises KeysNotHad for whatever is not a set of keys, sent in time and in size."""
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
    """RSA keys that sign, by id. One that does not read is left out; without any left, raises KeysNotHad."""
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
    """The key, or None for what is none, or too short to be trusted."""
    try:
        key = PyJWK(entry, algorithm="RS256").key
    except (PyJWTError, ValueError, TypeError):
        return None
    return key if key.key_size >= 2048 else None


def max_age(headers: Mapping[str, str]) -> int:
    """Seconds that an answer stays fresh: what Cache-Control says, less what it has spent in caches (RFC 9111, 4.2)."""
    found = MAX_AGE.search(headers.get("cache-control", "").lower())
    age = headers.get("age", "")
    spent = int(age) if age.isdecimal() and len(age) < 10 else 0
    return min(max(int(found[1]) - spent, SHORTEST), LONGEST) if found else UNSAID
