"""Proof that a row is in the audit log, verifiable with a checkpoint and without access to the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.errors import BatchBroken, ChainBroken, Fault
from audit.models import AuditLeaf
from audit.proof.checkpoint import SignedCheckpoint
from audit.proof.keys import TrailKeys
from audit.proof.merkle import inclusion_proof, verify_inclusion
from audit.proof.verification import Prunings, covering, sealed_rows, verify_batch
from vibe.core.db.scopes import as_system
from vibe.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A row's position under a checkpoint, and the hashes that lead from it to the signed root (RFC 6962, PATH)."""

    row_id: UUID
    position: int
    leaf: bytes  # 32 bytes
    path: list[bytes]  # 32 bytes each
    signed: SignedCheckpoint

    def holds(self) -> bool:
        """Return whether the path leads to the root."""
        checkpoint = self.signed.checkpoint
        return verify_inclusion(
            self.leaf, self.position - checkpoint.first, checkpoint.count, self.path, checkpoint.root
        )

    def to_json(self) -> dict[str, Any]:
        """Return the printed form: hashes in hex, the checkpoint as one line."""
        return {
            "row": str(self.row_id),
            "position": self.position,
            "leaf": self.leaf.hex(),
            "path": [each.hex() for each in self.path],
            "checkpoint": self.signed.to_line(),
        }


def prove_inclusion(row_id: UUID, keys: TrailKeys) -> Inclusion:
    """Prove one row up to a signature. Raises NotFound if it is not sealed, or the AuditError that applies."""
    with as_system():
        position = AuditLeaf.objects.filter(row_id=row_id).values_list("position", flat=True).first()
        if position is None:
            raise NotFound("No sealed row of the audit trail has this id. Seal new rows with: seal_audit")
        signed = covering(position)
        if signed is None or position > signed.checkpoint.last:
            raise BatchBroken(0, Fault.POSITION, position=position, row_id=row_id)
        checkpoint = signed.checkpoint
        if not keys.ring.verify(checkpoint.key_id, checkpoint.encode(), signed.signature):
            raise ChainBroken(checkpoint.number, Fault.SIGNATURE)
        batch = list(sealed_rows(checkpoint.first, checkpoint.last, Prunings(keys)))
        verify_batch(checkpoint, batch)
    index = position - checkpoint.first
    leaves = [entry.leaf for entry in batch]
    return Inclusion(row_id, position, leaves[index], inclusion_proof(leaves, index), signed)
