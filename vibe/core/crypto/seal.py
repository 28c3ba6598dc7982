"""The seal over every personal text: AES-256-GCM (NIST SP 800-38D) under a key of that person alone.

Stored form, version 2:  0x02 | generation of the data key, 2 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes
Sealed:                  the text, padded to its size class (see vibe.core.crypto.padding)
Associated data:         the first 3 of these bytes | the address of the value (see vibe.core.crypto.sealed)

Version 1 was not padded. No release wrote it, and it is not read.

So every stored byte is authenticated, and with it the place where it is stored. Nonces are random: after 2**32
messages under one key the chance that any two are equal is 2**-33 (SP 800-38D, 8.3, allows no more). Keys are renewed
long before: see accounts.keys.services.data_keys.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES: Final = 32
VERSION: Final = 2
HEADER: Final = struct.Struct(">BH")
HEADER_BYTES: Final = HEADER.size
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
BODY_START: Final = HEADER_BYTES + NONCE_BYTES
OVERHEAD_BYTES: Final = BODY_START + TAG_BYTES
MOST_MESSAGES: Final = 2**32  # under one key
HIGHEST_GENERATION: Final = 2**15 - 1  # what the column of the generation holds


Operation = Literal["seal", "open", "wrap", "unwrap", "key-service"]
Observer = Callable[[Operation, int, bool], None]  # what was done, how often, and whether it went well

_observers: list[Observer] = []


def derive(secret: bytes, label: str) -> bytes:
    """Derive 32 bytes for one purpose, which `label` names: HKDF-SHA256 (RFC 5869). No key serves two purposes.

    The secret is uniformly random already, so the expand step suffices (RFC 5869, 3.3).
    """
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=b"vibe/1/" + label.encode()).derive(secret)


class Seal:
    """AES-256-GCM under one generation of one person's data key, with the header that names the generation.

    `encrypt` and `decrypt` take nonce, data and associated data. A seal may be used by several threads at once.
    """

    __slots__ = ("decrypt", "encrypt", "header")

    def __init__(self, key: bytes, generation: int) -> None:
        aead = AESGCM(key)
        self.header: Final = HEADER.pack(VERSION, generation)
        self.encrypt: Final[Callable[[bytes, bytes, bytes], bytes]] = aead.encrypt
        self.decrypt: Final[Callable[[bytes, bytes, bytes], bytes]] = aead.decrypt


def generation_of(stored: bytes) -> int | None:
    """Return which generation of the data key sealed these bytes; None for an unknown format."""
    if len(stored) < OVERHEAD_BYTES or stored[0] != VERSION:
        return None
    return stored[1] << 8 | stored[2]


def add_observer(observer: Observer) -> None:
    """Call it from now on whenever values are sealed or opened. It is given counts: never what, or whose."""
    if observer not in _observers:
        _observers.append(observer)


def notify(operation: Operation, times: int, *, well: bool = True) -> None:
    """Call all observers."""
    for observer in _observers:
        observer(operation, times, well)
