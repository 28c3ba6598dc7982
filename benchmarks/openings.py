"""Counting what is opened: every decryption goes through one of two doors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vibe.core.crypto.master import MasterKey


@contextmanager
def openings() -> Iterator[Counter[str]]:
    """Counts, while it lasts, of values opened under a data key ("seal") and under a master key ("wrap")."""
    counted: Counter[str] = Counter()

    class Counting:
        def __init__(self, key: bytes) -> None:
            self.real = AESGCM(key)
            self.encrypt = self.real.encrypt

        def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
            counted["seal"] += 1
            return self.real.decrypt(nonce, data, associated_data)

    def unwrap(self: MasterKey, *given: bytes, real: object = MasterKey.unwrap) -> bytes:
        counted["wrap"] += 1
        return real(self, *given)  # type: ignore[operator, no-any-return]

    with mock.patch("vibe.core.crypto.seal.AESGCM", Counting), mock.patch.object(MasterKey, "unwrap", unwrap):
        yield counted
