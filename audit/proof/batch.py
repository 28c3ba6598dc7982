"""Verification of the rows under one checkpoint against its root."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from audit.errors import BatchBroken, Fault, RowNotEncodable
from audit.proof.checkpoint import Checkpoint
from audit.proof.merkle import HASH_SIZE, root
from audit.proof.row_digest import ROW_FORMAT


class SealedRow(NamedTuple):
    """The seal stored for one position, and the hash of the row it refers to, if that exists."""

    position: int
    key: bytes  # the row's id, 16 bytes
    leaf: bytes  # 32 bytes, as stored when the row was sealed
    found: bytes | None  # 32 bytes, computed from the current row; empty if it cannot be encoded


def verify_batch(checkpoint: Checkpoint, sealed: Iterable[SealedRow]) -> None:
    """Prove the rows of one batch, given in the order of position. Raises BatchBroken at the first that fails.

    The checkpoint must be verified already. The root is computed from the rows; stored leaf hashes only show which row
    was changed. If a row and its leaf hash were both changed, the root does not match: the whole batch is at fault.
    Raises RowNotEncodable for a batch sealed in a row format of a later version of the program.
    """
    if checkpoint.row_format != ROW_FORMAT:
        raise RowNotEncodable(f"Checkpoint {checkpoint.number} covers rows of an unknown format: update the program.")
    leaves: list[bytes] = []
    for entry in sealed:
        expected = checkpoint.first + len(leaves)
        if entry.position != expected or expected > checkpoint.last:
            raise BatchBroken(checkpoint.number, Fault.SEAL_MISSING, position=min(expected, entry.position))
        if entry.found != entry.leaf or len(entry.leaf) != HASH_SIZE:
            fault = Fault.ROW_MISSING if entry.found is None else Fault.ROW_ALTERED
            raise BatchBroken(checkpoint.number, fault, position=entry.position, row_id=UUID(bytes=entry.key))
        leaves.append(entry.leaf)
    if len(leaves) != checkpoint.count:
        raise BatchBroken(checkpoint.number, Fault.SEAL_MISSING, position=checkpoint.first + len(leaves))
    if root(leaves) != checkpoint.root:
        raise BatchBroken(checkpoint.number, Fault.ROOT, position=checkpoint.first)
