"""A sealed value, opaque and only opened on purpose, and the address it is bound to, so that it opens nowhere else.

An address as bytes:  length of the table's name, 2 | the name | length of the column's name, 2 | the name
                      | person, 16 | row, 16 | revision of the row, 8

Numbers are big-endian. No two addresses have the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn
from uuid import UUID


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
