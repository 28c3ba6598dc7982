"""Everything one person's data key gives: seal, blind index, cloak, and the seal of files."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from vibe.core.crypto.cloak import Cloak
from vibe.core.crypto.errors import DataKeyMissing, FormatUnknown, SealBroken, SealError
from vibe.core.crypto.file_seal import FileSeal
from vibe.core.crypto.seal import (
    BODY_START,
    HEADER_BYTES,
    MARK,
    NONCE_BYTES,
    OVERHEAD_BYTES,
    Address,
    Seal,
    Sealed,
    column_prefix,
    derive,
    generation_of,
    notify,
    pad,
    size_class,
    unpad,
)
from vibe.core.errors import InputError
from vibe.core.folding import fold

ROOT_GENERATION: Final = 1
FIRST_REVISION: Final = 1
CLOAKS_KEPT: Final = 128
UNSEALABLE = (UnicodeEncodeError, AttributeError, OverflowError)  # lone surrogates, not a text, no such revision
UNOPENABLE = (KeyError, InvalidTag, ValueError, AttributeError, OverflowError)


class BlindIndex:
    """Blind values of one person: equal ones become equal numbers, and tell nothing else without the person's key.

    HMAC-SHA256 (RFC 2104) over  kind | 0x00 | folded value, UTF-8;  cut to its first 64 bits and read as a signed
    big-endian integer, so that it fits PostgreSQL's bigint. The kind goes in first: the word "lisbon" and the place
    "Lisbon" do not match each other.
    """

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


class Vault:
    """The opened keys of one person. Several threads may use one vault.

    `data_keys` maps generation to 32 bytes. The newest generation seals; every one opens. Index and cloak come from
    the first for good, since blind values and vectors must stay comparable when the sealing key is renewed: without
    that one there is no vault. `sealed_anew` is told table, person, row and revision of what is sealed for a row that
    was there before; `used` is told the generation, and how many values were sealed under it.
    """

    def __init__(
        self,
        user_id: UUID,
        data_keys: Mapping[int, bytes],
        *,
        sealed_anew: Callable[[str, UUID, UUID, int], object] = lambda *_: None,
        used: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        if ROOT_GENERATION not in data_keys:
            raise DataKeyMissing(f"user_keys has no data key of person {user_id}: it was destroyed or never made.")
        self.user_id = user_id
        self._root = data_keys[ROOT_GENERATION]
        self._seals = {number: Seal(derive(key, "seal"), number) for number, key in data_keys.items()}
        self.generation = max(data_keys)
        self._newest = self._seals[self.generation]
        self._sealed_anew = sealed_anew
        self._used = used

    def __repr__(self) -> str:
        return f"<vault of {self.user_id}>"

    def seal(self, text: str, address: Address) -> Sealed:
        """Seal a text for its one address."""
        self._own(address)
        return self.seal_all(address.table, address.column, [(address.row_id, address.revision, text)])[0]

    def open(self, sealed: Sealed, address: Address) -> str:
        """Open a text. Raises a SealError that names the address."""
        self._own(address)
        return self.open_all(address.table, address.column, [(address.row_id, address.revision, sealed)])[0]

    def seal_all(self, table: str, column: str, rows: Iterable[tuple[UUID, int, str]]) -> list[Sealed]:
        """Seal one column of many rows, given as (row id, revision, text). Each is padded to a size class.

        Raises InputError, naming the row, for what is no text or holds a lone surrogate.
        """
        rows = list(rows)
        nonces, at = os.urandom(NONCE_BYTES * len(rows)), 0
        header, encrypt = self._newest.header, self._newest.encrypt
        start, sealed = header + column_prefix(table, column, self.user_id), []
        for row_id, revision, text in rows:
            nonce = nonces[at : (at := at + NONCE_BYTES)]
            try:
                end = row_id.int.to_bytes(16, "big") + revision.to_bytes(8, "big")  # address.row(), without the call
                sealed.append(Sealed(header + nonce + encrypt(nonce, pad(text.encode()), start + end)))
            except UNSEALABLE:
                break  # and raise outside: what was caught holds the text
        else:
            notify("seal", len(sealed))
            self._used(self.generation, len(sealed))
            for row_id, revision, _ in rows:
                if revision > FIRST_REVISION:
                    self._sealed_anew(table, self.user_id, row_id, revision)
            return sealed
        notify("seal", 1, well=False)
        raise unsealable(text, Address(table, column, self.user_id, row_id, revision))

    def open_all(self, table: str, column: str, rows: Iterable[tuple[UUID, int, Sealed]]) -> list[str]:
        """Open one column of many rows, given as (row id, revision, sealed).

        Raises a SealError for the first that does not open, naming the row.
        """
        here = column_prefix(table, column, self.user_id)
        known = {seal.header: (seal.decrypt, seal.header + here) for seal in self._seals.values()}
        texts: list[str] = []
        for row_id, revision, sealed in rows:
            try:
                stored = sealed.ciphertext
                decrypt, start = known[stored[:HEADER_BYTES]]
                end = row_id.int.to_bytes(16, "big") + revision.to_bytes(8, "big")
                padded = decrypt(stored[HEADER_BYTES:BODY_START], stored[BODY_START:], start + end)
                texts.append(unpad(padded).decode())
            except UNOPENABLE:
                break  # and raise outside, as above
        else:
            notify("open", len(texts))
            return texts
        notify("open", 1, well=False)
        raise self._complaint(sealed, Address(table, column, self.user_id, row_id, revision))

    def _complaint(self, sealed: object, address: Address) -> SealError:
        """Return why a value did not open, naming its address and nothing of its content."""
        generation = generation_of(sealed.ciphertext) if isinstance(sealed, Sealed) else None
        if generation is None:
            return FormatUnknown(f"{address} is not in a known sealed format.")
        if generation not in self._seals:
            return DataKeyMissing(f"{address} needs data key {generation} of its person, which is not there.")
        return SealBroken(f"{address} does not open: wrong key, moved or altered.")

    @cached_property
    def index(self) -> BlindIndex:
        """Return the blind index of this person."""
        return BlindIndex(derive(self._root, "index"))

    @cached_property
    def files(self) -> FileSeal:
        """Return the file seal of this person."""
        return FileSeal(derive(self._root, "files"))

    def cloak(self, dimensions: int) -> Cloak:
        """Return the rotation of this person."""
        return _cloak(derive(self._root, "cloak"), dimensions)

    def _own(self, address: Address) -> None:
        if address.user_id != self.user_id:
            raise SealBroken(f"{address} belongs to another person than this vault.")


def stored_size(text: str) -> int:
    """Return how many bytes a text takes once it is sealed."""
    return OVERHEAD_BYTES + size_class(len(text.encode(errors="surrogatepass")) + len(MARK))


def unsealable(text: object, address: Address) -> InputError:
    """Return why a value could not be sealed."""
    if isinstance(text, str):
        return InputError(f"{address} takes valid Unicode only, without lone surrogates, at a revision of 0 or more.")
    return InputError(f"{address} takes a text, not {type(text).__name__}.")


@lru_cache(maxsize=CLOAKS_KEPT)
def _cloak(key: bytes, dimensions: int) -> Cloak:
    """Drawing a rotation takes milliseconds, keeping it half a megabyte at 512 dimensions: the last ones are kept."""
    return Cloak(key, dimensions)
