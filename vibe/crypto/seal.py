"""The seal over every personal text: AES-256-GCM (NIST SP 800-38D) under a key of that person alone.

Stored form, version 1:  0x01 | generation of the data key, 2 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes
The header and the address are authenticated. A nonce is random: one data key may seal 2**32 messages
(SP 800-38D, 8.3), and is renewed long before that.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
HEADER = struct.Struct(">BH")
NONCE_BYTES = 12
TAG_BYTES = 16
BODY_START = HEADER.size + NONCE_BYTES
OVERHEAD_BYTES = BODY_START + TAG_BYTES


class Seal:
    """Seals and opens under one generation of one person's data key."""

    __slots__ = ("_aead", "_header", "generation")

    def __init__(self, key: bytes, generation: int) -> None:
        self.generation = generation
        self._header = HEADER.pack(VERSION, generation)
        self._aead = AESGCM(key)

    def seal_all(self, place: bytes, rows: Iterable[tuple[UUID, int, str]]) -> list[bytes]:
        """Stored bytes for (row id, revision, text) of one column of one person; each 31 longer than its text."""
        rows = list(rows)
        nonces = os.urandom(NONCE_BYTES * len(rows))
        header, encrypt, start = self._header, self._aead.encrypt, self._header + place
        sealed = []
        for position, (row_id, revision, text) in enumerate(rows):
            nonce = nonces[position * NONCE_BYTES : (position + 1) * NONCE_BYTES]
            associated = start + row_id.bytes + revision.to_bytes(8, "big")
            sealed.append(header + nonce + encrypt(nonce, text.encode(), associated))
        return sealed

    def open(self, stored: bytes, place: bytes, row_id: UUID, revision: int) -> str:
        """The text. Raises InvalidTag or ValueError when anything at all differs."""
        associated = self._header + place + row_id.bytes + revision.to_bytes(8, "big")
        return self._aead.decrypt(stored[BODY_START - NONCE_BYTES : BODY_START], stored[BODY_START:], associated).decode()


def generation_of(stored: bytes) -> int | None:
    """Which generation of the data key sealed these bytes; None for what is no seal of a known version."""
    if len(stored) < OVERHEAD_BYTES or stored[0] != VERSION:
        return None
    return stored[1] << 8 | stored[2]
