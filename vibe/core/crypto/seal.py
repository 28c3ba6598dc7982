"""The seal over every personal text: AES-256-GCM (NIST SP 800-38D) under a key of that person alone.

Stored form, version 2:  0x02 | generation of the data key, 2 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes
Sealed:                  the text, padded to its size class
Associated data:         the first 3 of these bytes | the address of the value

Version 1 was not padded. No release wrote it, and it is not read.

So every stored byte is authenticated, and with it the place where it is stored. Nonces are random: after 2**32
messages under one key the chance that any two are equal is 2**-33 (SP 800-38D, 8.3, allows no more). Keys are renewed
long before: see accounts.keys.services.data_keys.

An address as bytes:  length of the table's name, 2 | the name | length of the column's name, 2 | the name
                      | person, 16 | row, 16 | revision of the row, 8

Numbers are big-endian. No two addresses have the same bytes.

Padded form:  text, UTF-8 | 0x80 | as many 0x00 as the class takes (ISO/IEC 7816-4)

So a stored size does not tell which text it is. The last 0x80 is the mark, whatever the text ends with. Classes are
those of Padmé (K. Nikitin, L. Barman, W. Lueks, M. Underwood, J.-P. Hubaux, B. Ford, "Reducing Metadata Leakage from
Encrypted Files and Communication with PURBs", PoPETs 2019(4), algorithm 1): a length L keeps its highest
floor(log2(floor(log2 L))) + 2 bits and is rounded up to them. For the messages of a chat its steps are 4 to 32 bytes,
which leaves 38 sizes in LoCoMo. So no step is below 256: classes are multiples of 256 up to 8,192 bytes, and Padmé's
above. docs/keys.md has what other steps cost and leave. A reader takes any number of zeros: only the writer knows
classes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NoReturn
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MARK: Final = b"\x80"
STEP: Final = 256

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


class Sealed:
    """Ciphertext of one column. It does not print, compare or hash as text: opening it is an act of its own.

    Two are equal when their bytes are, so a copied row equals its original; two sealings of one text never are.
    Copying and pickling carry the ciphertext and nothing else. It has no length, no truth of its own and no order.
    """

    __slots__ = ("ciphertext",)

    def __init__(self, ciphertext: bytes) -> None:
        self.ciphertext = ciphertext

    def __repr__(self) -> str:
        return f"<sealed, {len(self.ciphertext)} bytes>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.ciphertext == other.ciphertext

    def __hash__(self) -> NoReturn:
        raise TypeError("A sealed value cannot be a key: every sealing of the same text differs.")


@dataclass(frozen=True, slots=True)
class Address:
    """One column of one row of one person, at one revision of that row.

    `revision` counts the changes of the row: an older ciphertext put back under a newer revision does not open.
    """

    table: str
    column: str
    user_id: UUID
    row_id: UUID
    revision: int = 1

    def __str__(self) -> str:
        return f"{self.table}.{self.column} of row {self.row_id}"

    def associated_data(self) -> bytes:
        """Return the address as bytes."""
        return column_prefix(self.table, self.column, self.user_id) + row_suffix(self.row_id, self.revision)


@lru_cache(maxsize=256)
def column_prefix(table: str, column: str, user_id: UUID) -> bytes:
    """Return the bytes that the addresses of one column of one person begin with."""
    names = (table.encode(), column.encode())
    return b"".join(len(name).to_bytes(2, "big") + name for name in names) + user_id.bytes


def row_suffix(row_id: UUID, revision: int) -> bytes:
    """Return the bytes that they end with. (`UUID.bytes` takes twice as long.)"""
    return row_id.int.to_bytes(16, "big") + revision.to_bytes(8, "big")


def size_class(length: int) -> int:
    """Return the size in bytes, mark included, that so many bytes, mark included, are padded to."""
    exponent = length.bit_length() - 1
    mask = max(STEP, 1 << exponent - exponent.bit_length()) - 1
    return (length + mask) & ~mask


def pad(text: bytes) -> bytes:
    """Return the text padded to its size class."""
    marked = text + MARK
    return marked.ljust(size_class(len(marked)), b"\0")


def unpad(padded: bytes) -> bytes:
    """Return the text. Raises ValueError, without the content, where the mark is missing or something follows it."""
    text, mark, zeros = padded.rpartition(MARK)
    if not mark or zeros.strip(b"\0"):
        raise ValueError("The padding is malformed.")
    return text


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
