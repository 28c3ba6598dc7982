"""Signed statements on pruned months: the number of rows, and a digest over their positions and hashes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

from audit.proof.signing import KeyRing, SigningKey

_LABEL: Final = b"vibe.audit.pruning\x00"
_BODY: Final = struct.Struct(f">{len(_LABEL)}sHBQ32s8s")


class Missing:
    """The rows missing from one month, counted and hashed in the order of their positions."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = sha256()

    def add(self, position: int, leaf: bytes) -> None:
        """Add a row with its leaf hash (32 bytes)."""
        self.count += 1
        self._hash.update(position.to_bytes(8, "big", signed=True) + leaf)

    def digest(self) -> bytes:
        """Return the digest, 32 bytes."""
        return self._hash.digest()


@dataclass(frozen=True, slots=True)
class Pruned:
    """The statement on one month, without its signature."""

    month: date
    count: int
    digest: bytes  # 32 bytes
    key_id: bytes  # 8 bytes

    def encode(self) -> bytes:
        """Return the signed bytes: a label, year (2 bytes), month (1), count (8), digest (32), key id (8)."""
        return _BODY.pack(_LABEL, self.month.year, self.month.month, self.count, self.digest, self.key_id)

    def sign(self, key: SigningKey) -> bytes:
        """Return the signature, 64 bytes."""
        return key.sign(self.encode())

    def holds(self, missing: Missing, signature: bytes, keys: KeyRing) -> bool:
        """Return whether a trusted key signed this statement, and it covers exactly these rows."""
        return (
            keys.verify(self.key_id, self.encode(), signature)
            and (missing.count, missing.digest()) == (self.count, self.digest)
        )  # fmt: skip
