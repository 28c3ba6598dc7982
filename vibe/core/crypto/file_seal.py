"""The seal over a whole file: AES-256-GCM in chunks, so that neither side ever holds more than one of them.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, 2015): each chunk's nonce is its number and whether it is the last. A chunk that was altered, moved,
doubled or left out does not open, nor does a file that ends too early or goes on too long.

Stored form, version 1:  0x21 | salt, 16 bytes | chunks
A chunk:                 65,536 bytes, or fewer in the last, and a tag of 16 bytes
Key of one file:         HKDF-Expand(the person's key for files, "file/" and the salt in hexadecimal)
Nonce of a chunk:        its number from 0, 11 bytes, big-endian | 1 for the last chunk, 0 for all before it
Associated data:         version and salt | what the file is of, as bytes of the caller's

Each file has a salt of its own and so a key of its own: no nonce ever meets a key twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vibe.core.crypto.errors import FormatUnknown, SealBroken
from vibe.core.crypto.seal import derive

VERSION: Final = b"\x21"
SALT_BYTES: Final = 16
HEADER_BYTES: Final = len(VERSION) + SALT_BYTES
CHUNK_BYTES: Final = 65_536
TAG_BYTES: Final = 16
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES
NUMBER_BYTES: Final = 11
NAME: Final = "The sealed file"


class FileSeal:
    """Seals and opens one person's files."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, content: Iterable[bytes], context: bytes) -> Iterator[bytes]:
        """Yield the sealed form of content in chunks; `context` says what the file is of, and is needed to open it."""
        header = VERSION + os.urandom(SALT_BYTES)
        aead, associated, number, held = self._aead(header), header + context, 0, bytearray()
        yield header
        for piece in content:
            held += piece
            while len(held) > CHUNK_BYTES:
                yield aead.encrypt(nonce(number, last=False), bytes(held[:CHUNK_BYTES]), associated)
                del held[:CHUNK_BYTES]
                number += 1
        yield aead.encrypt(nonce(number, last=True), bytes(held), associated)

    def open(self, source: IO[bytes], context: bytes) -> Iterator[bytes]:
        """Yield the content in chunks, each verified before it is yielded.

        Raises FormatUnknown for what is no sealed file, SealBroken for one altered or of something else; what came
        before the fault has been given by then.
        """
        header = source.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(VERSION):
            raise FormatUnknown(f"{NAME} is not in a known format.")
        aead, associated, number = self._aead(header), header + context, 0
        chunk = source.read(SEALED_CHUNK_BYTES)
        while True:
            following = source.read(SEALED_CHUNK_BYTES) if len(chunk) == SEALED_CHUNK_BYTES else b""
            yield open_chunk(aead, chunk, nonce(number, last=not following), associated)
            if not following:
                return
            chunk, number = following, number + 1

    def _aead(self, header: bytes) -> AESGCM:
        return AESGCM(derive(self._key, f"file/{header[len(VERSION) :].hex()}"))


def nonce(number: int, *, last: bool) -> bytes:
    """Return a nonce of 12 bytes."""
    return number.to_bytes(NUMBER_BYTES, "big") + bytes([last])


def open_chunk(aead: AESGCM, chunk: bytes, nonce: bytes, associated: bytes) -> bytes:
    """Open one chunk."""
    try:
        return aead.decrypt(nonce, chunk, associated)
    except (InvalidTag, ValueError):
        raise SealBroken(f"{NAME} does not open: wrong key, another file, cut or altered.") from None
