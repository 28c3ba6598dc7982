"""Storage of the chain of checkpoints in the database."""

from __future__ import annotations

from collections.abc import Iterator

from audit.errors import ChainBroken, CheckpointMalformed, Fault, SigningKeyUnknown
from audit.models import AuditCheckpoint
from audit.proof.checkpoint import Checkpoint, SignedCheckpoint
from audit.proof.signing import KeyRing

PAGE = 500  # checkpoints in one query
BEFORE_ALL = -(2**63)


def signed_of(stored: AuditCheckpoint) -> SignedCheckpoint:
    """Return a stored checkpoint as it was signed. Raises ChainBroken for one that no sealer produces."""
    try:
        checkpoint = Checkpoint(
            number=stored.number,
            first=stored.first,
            count=stored.count,
            root=bytes(stored.root),
            previous=bytes(stored.previous),
            at=stored.at,
            key_id=bytes(stored.key_id),
            row_format=stored.row_format,
        )
        return SignedCheckpoint(checkpoint, bytes(stored.signature))
    except (CheckpointMalformed, TypeError):
        raise ChainBroken(stored.number, Fault.SIGNATURE) from None


def stored_of(signed: SignedCheckpoint) -> AuditCheckpoint:
    """Return the row that stores a checkpoint."""
    checkpoint = signed.checkpoint
    return AuditCheckpoint(
        number=checkpoint.number,
        first=checkpoint.first,
        count=checkpoint.count,
        root=checkpoint.root,
        previous=checkpoint.previous,
        at=checkpoint.at,
        key_id=checkpoint.key_id,
        row_format=checkpoint.row_format,
        signature=signed.signature,
    )


def newest_checkpoint() -> SignedCheckpoint | None:
    """Return the newest checkpoint, if any."""
    newest = AuditCheckpoint.objects.order_by("-number").first()
    return signed_of(newest) if newest else None


def require_known_key(ring: KeyRing) -> None:
    """Raise SigningKeyUnknown where the newest checkpoint was signed by a key that is not in the ring."""
    newest = newest_checkpoint()
    if newest and newest.checkpoint.key_id not in ring:
        raise SigningKeyUnknown(newest.checkpoint.number, newest.checkpoint.key_id, ring)


def at_number(number: int) -> SignedCheckpoint | None:
    """Return the checkpoint of this number, if any."""
    stored = AuditCheckpoint.objects.filter(number=number).first()
    return signed_of(stored) if stored else None


def pages(after: int = BEFORE_ALL) -> Iterator[list[SignedCheckpoint]]:
    """Yield the chain after the number `after` in pages; numbers below 1 are included by default."""
    while page := list(AuditCheckpoint.objects.filter(number__gt=after).order_by("number")[:PAGE]):
        yield [signed_of(stored) for stored in page]
        after = page[-1].number
