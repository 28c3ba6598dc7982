"""Where a sealed value lives. The address is authenticated with the value, so that it opens nowhere else.

As bytes:  length of the table's name, 2 | the name | length of the column's name, 2 | the name
           | person, 16 | row, 16 | revision of the row, 8

Numbers are big-endian. No two addresses have the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID


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
        """The address as bytes."""
        return column_prefix(self.table, self.column, self.user_id) + row_suffix(self.row_id, self.revision)


@lru_cache(maxsize=256)
def column_prefix(table: str, column: str, user_id: UUID) -> bytes:
    """What the addresses of one column of one person begin with."""
    names = (table.encode(), column.encode())
    return b"".join(len(name).to_bytes(2, "big") + name for name in names) + user_id.bytes


def row_suffix(row_id: UUID, revision: int) -> bytes:
    """What they end with. (`UUID.bytes` is a property that does the same, at twice the price.)"""
    return row_id.int.to_bytes(16, "big") + revision.to_bytes(8, "big")
