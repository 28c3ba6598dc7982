"""Blind indexes: equal values of one person become equal numbers, and tell nothing else without that person's key.

HMAC-SHA256 (RFC 2104) over  kind | 0x00 | folded value, UTF-8;  cut to its first 64 bits and read as a signed
big-endian integer, so that it fits PostgreSQL's bigint. The kind goes in first: the word "lisbon" and the place
"Lisbon" do not match each other.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from vibe.core.folding import fold


class BlindIndex:
    """Blind values under one person's index key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, kind: str, value: str) -> int:
        """Return a signed 64-bit number for `value`, equal for values that are spellings of one (vibe.core.folding)."""
        message = kind.encode() + b"\0" + fold(value).encode("utf-8", "surrogatepass")
        return int.from_bytes(hmac.digest(self._key, message, "sha256")[:8], "big", signed=True)

    def tokens(self, kind: str, values: Iterable[str]) -> list[int]:
        """Return one number for each value, in the order given."""
        return [self.token(kind, value) for value in values]
