"""Blind indexes: equal values of one person become equal numbers, and tell nothing else without that person's key.

HMAC-SHA256 (RFC 2104), cut to its first 64 bits and read as a signed integer, so that it fits PostgreSQL's bigint.
The kind goes in first: the word "lisbon" and the place "Lisbon" do not match each other.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable


class BlindIndex:
    """Blind values under one person's index key."""

    __slots__ = ("_root",)

    def __init__(self, key: bytes) -> None:
        self._root = hmac.new(key, digestmod=hashlib.sha256)

    def token(self, kind: str, value: str) -> int:
        """A signed 64-bit number for `value`, equal for equal values whatever their case or Unicode form."""
        mac = self._root.copy()
        mac.update(kind.encode() + b"\0" + fold(value).encode("utf-8", "surrogatepass"))
        return int.from_bytes(mac.digest()[:8], "big", signed=True)

    def tokens(self, kind: str, values: Iterable[str]) -> list[int]:
        """One number a value, in the order given."""
        return [self.token(kind, value) for value in values]


def fold(value: str) -> str:
    """NFKC, case-folded, runs of white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
