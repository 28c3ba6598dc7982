"""Everything one person's data key gives: seal, blind index, cloak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag

from vibe.crypto.address import Address, place
from vibe.crypto.blind import BlindIndex
from vibe.crypto.cloak import Cloak
from vibe.crypto.derive import derive
from vibe.crypto.seal import Seal, generation_of
from vibe.crypto.sealed import Sealed
from vibe.errors import DataKeyMissing, FormatUnknown, SealBroken, SealError

CLOAKS_KEPT = 128


class Vault:
    """The opened keys of one person.

    `data_keys` maps generation to 32 bytes. The newest generation seals; every one opens. Index and cloak come from
    the oldest, since blind values and vectors must stay comparable when the sealing key is renewed.
    """

    def __init__(self, user_id: UUID, data_keys: Mapping[int, bytes]) -> None:
        if not data_keys:
            raise DataKeyMissing(f"Person {user_id} has no data key: it was destroyed or never made.")
        self.user_id = user_id
        self._root = data_keys[min(data_keys)]
        self._seals: dict[int | None, Seal] = {number: Seal(derive(key, "seal"), number) for number, key in data_keys.items()}
        self._newest = self._seals[max(data_keys)]

    def __repr__(self) -> str:
        return f"<vault of {self.user_id}>"

    def seal(self, text: str, address: Address) -> Sealed:
        """Seal a text for its one address."""
        self._own(address)
        return self.seal_all(address.table, address.column, [(address.row_id, address.revision, text)])[0]

    def open(self, sealed: Sealed, address: Address) -> str:
        """The text again. Raises a SealError that names the address."""
        self._own(address)
        return self.open_all(address.table, address.column, [(address.row_id, address.revision, sealed)])[0]

    def seal_all(self, table: str, column: str, rows: Iterable[tuple[UUID, int, str]]) -> list[Sealed]:
        """Seal one column of many rows, given as (row id, revision, text)."""
        return [Sealed(stored) for stored in self._newest.seal_all(place(table, column, self.user_id), rows)]

    def open_all(self, table: str, column: str, rows: Iterable[tuple[UUID, int, Sealed]]) -> list[str]:
        """Open one column of many rows, given as (row id, revision, sealed). Raises at the first that does not."""
        start, seals, texts = place(table, column, self.user_id), self._seals, []
        for row_id, revision, sealed in rows:
            try:
                texts.append(seals[generation_of(sealed.ciphertext)].open(sealed.ciphertext, start, row_id, revision))
            except (KeyError, InvalidTag, ValueError, AttributeError):
                raise self._complaint(sealed, Address(table, column, self.user_id, row_id, revision)) from None
        return texts

    def _complaint(self, sealed: object, address: Address) -> SealError:
        """Why a value did not open, naming its place and nothing of its content."""
        generation = generation_of(sealed.ciphertext) if isinstance(sealed, Sealed) else None
        if generation is None:
            return FormatUnknown(f"{address} is not in a known sealed format.")
        if generation not in self._seals:
            return DataKeyMissing(f"{address} needs data key {generation} of its person, which is not there.")
        return SealBroken(f"{address} does not open: wrong key, moved or altered.")

    @cached_property
    def index(self) -> BlindIndex:
        """The blind index of this person."""
        return BlindIndex(derive(self._root, "index"))

    def cloak(self, dimensions: int) -> Cloak:
        """The rotation of this person."""
        return _cloak(derive(self._root, "cloak"), dimensions)

    def _own(self, address: Address) -> None:
        if address.user_id != self.user_id:
            raise SealBroken(f"{address} belongs to another person than this vault.")


@lru_cache(maxsize=CLOAKS_KEPT)
def _cloak(key: bytes, dimensions: int) -> Cloak:
    """Drawing a rotation takes milliseconds and half a megabyte at 512 dimensions, so the last ones are kept."""
    return Cloak(key, dimensions)
