"""A master key that a service holds: an HSM or a cloud's key service. It never leaves the service.

Every value is encrypted under a random key of its own, and the service wraps that key: it sees no name, no data key.

Made by a `ServiceKey`:  length, 2 bytes | the wrapped key | nonce, 12 bytes | ciphertext | tag, 16 bytes
Associated data:         that of the value; for the service its SHA-256, so that its logs name no row and no person

Unwrapped keys are cached for KEY_CACHE_SECONDS, counted from when the service unwrapped them. While the service is
away, what is cached goes on, and nothing else opens.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.keys.errors import KeyServiceUnavailable
from vibe.core.crypto.master import ID_BYTES
from vibe.core.crypto.seal import KEY_BYTES, NONCE_BYTES, notify

LENGTH_BYTES: Final = 2
CACHED_KEYS: Final = 20_000  # some 10 MB
AGAIN_SECONDS: Final = 1.0
CHECKED_SECONDS: Final = 10.0
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class KeyService(Protocol):
    """What holds a master key. Its methods raise KeyServiceUnavailable, and may be called from several threads."""

    name: str  # names the key for good

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key of 32 bytes, bound to 32 bytes of context."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt what `wrap` made. Raises InvalidTag for anything else, or another context."""


class ServiceKey:
    """A master key that a service holds. Its id is a digest of its name."""

    def __init__(self, service: KeyService, *, cache_seconds: float) -> None:
        self.service = service
        self.id: Final = hashlib.sha256(f"vibe/1/master-id/{service.name}".encode()).digest()[:ID_BYTES]
        self._cache = KeyCache(cache_seconds)
        self._failure: KeyServiceUnavailable | None = None
        self._again_at = 0.0
        self._answered_at = float("-inf")
        self._trying = threading.Lock()

    def __repr__(self) -> str:
        return f"<master key {self.id.hex()} of a service>"

    def wrap(self, value: bytes, associated: bytes) -> bytes:
        """Encrypt a small value. Raises KeyServiceUnavailable."""
        key, nonce, context = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES), context_of(associated)
        wrapped = self._ask(lambda: self.service.wrap(key, context))
        self._cache.put(wrapped + context, key)
        return (
            len(wrapped).to_bytes(LENGTH_BYTES, "big") + wrapped + nonce + AESGCM(key).encrypt(nonce, value, associated)
        )

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Decrypt what `wrap` made. Raises InvalidTag; KeyServiceUnavailable unless the key is cached."""
        end = LENGTH_BYTES + int.from_bytes(wrapped[:LENGTH_BYTES], "big")
        nonce, ciphertext = wrapped[end : end + NONCE_BYTES], wrapped[end + NONCE_BYTES :]
        if end < LENGTH_BYTES + KEY_BYTES or len(nonce) < NONCE_BYTES:
            raise InvalidTag
        key = self._unwrapped(wrapped[LENGTH_BYTES:end], context_of(associated))
        return AESGCM(key).decrypt(nonce, ciphertext, associated)

    def check(self) -> KeyServiceUnavailable | None:
        """Return why the service gives no keys, or None. It is asked unless it answered in the last ten seconds."""
        if time.monotonic() - self._answered_at > CHECKED_SECONDS:
            try:
                self._ask(self._try_out)
            except KeyServiceUnavailable as problem:
                return problem
        return None

    def _try_out(self) -> None:
        key, context = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
        if self.service.unwrap(self.service.wrap(key, context), context) != key:
            raise InvalidTag

    def _unwrapped(self, wrapped: bytes, context: bytes) -> bytes:
        key = self._cache.get(wrapped + context)
        if key is None:
            key = self._ask(lambda: self.service.unwrap(wrapped, context))
            if len(key) != KEY_BYTES:
                raise InvalidTag
            self._cache.put(wrapped + context, key)
        return key

    def _ask(self, call: Callable[[], Result]) -> Result:
        """Call the service. While it fails, one thread tries at a time, once a second, and the others fail at once."""
        if self._failure is None:
            return self._call(call)
        if time.monotonic() < self._again_at or not self._trying.acquire(blocking=False):
            raise self._failure
        try:
            return self._call(call)
        finally:
            self._trying.release()

    def _call(self, call: Callable[[], Result]) -> Result:
        try:
            result = call()
        except KeyServiceUnavailable as problem:
            self._failure, self._again_at = problem, time.monotonic() + AGAIN_SECONDS
            self._answered_at = float("-inf")
            logger.error("The service of master key %s gives no keys: %s", self.id.hex(), problem.reason)
            raise
        self._failure, self._answered_at = None, time.monotonic()
        notify("key-service", 1)
        return result


class KeyCache:
    """Unwrapped keys by what they were unwrapped from, each for so many seconds. Several threads may use it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._known: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()  # the oldest first
        self._changing = threading.Lock()

    def get(self, wrapped: bytes) -> bytes | None:
        """Return a key, unless it is unknown or too old."""
        with self._changing:
            self._forget_old()
            key, _ = self._known.get(wrapped, (None, 0.0))
        return key

    def put(self, wrapped: bytes, key: bytes) -> None:
        """Remember a key from now on."""
        with self._changing:
            self._known.pop(wrapped, None)
            self._known[wrapped] = key, time.monotonic() + self._seconds
            self._forget_old()

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._known and (len(self._known) > CACHED_KEYS or next(iter(self._known.values()))[1] <= now):
            self._known.popitem(last=False)


def context_of(associated: bytes) -> bytes:
    """Return what the service binds a key to: it tells of no row and no person."""
    return hashlib.sha256(associated).digest()
