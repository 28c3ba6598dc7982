"""Sealing: committed rows get consecutive positions and a signed checkpoint over them.

Each batch is one transaction, so a sealer killed at any moment leaves whole batches. Checkpoints are written outside
the database after their commit; the next run writes those that a killed run left out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit.errors import ChainBroken, Fault
from audit.models import AuditLeaf
from audit.proof import checkpoint_store
from audit.proof.checkpoint import Checkpoint, SignedCheckpoint
from audit.proof.keys import TrailKeys, trail_keys
from audit.proof.merkle import root
from audit.proof.unsealed import (
    SealRange,
    current_snapshot,
    detect_restore,
    ranges_to_seal,
    sealer_state,
    unsealed_rows,
)
from audit.proof.wire import WireRow, encode_time
from audit.sealing import witness
from vibe.core.db.scopes import as_system
from vibe.core.db.statements import bulk

BATCH: Final = 10_000  # rows under one checkpoint at most
LOCK: Final = 0x7365616C  # an advisory lock: of two sealers at once, only one works

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Sealed:
    """The result of a run."""

    rows: int = 0
    checkpoints: int = 0
    written: int = 0  # checkpoints, outside the database
    forged: list[UUID] = field(default_factory=list)  # rows that the recorder did not write; they stay unsealed
    busy: bool = False  # another sealer is running


def seal(*, sweep: bool = False, batch: int = BATCH) -> Sealed:
    """Seal every committed row, and write new checkpoints outside the database.

    `sweep` examines all rows instead of only new ones. Raises SigningKeyUnknown, ChainBroken if the end of the chain is
    forged or cut off, and OSError if the checkpoint file cannot be written; rows already sealed stay sealed.
    """
    detect_restore()
    done = Sealed()
    work: list[SealRange] | None = None
    after: tuple[int, UUID] | None = None
    while work is None or work:
        with as_system():
            if not only_sealer():
                done.busy = True
                return done
            if work is None:
                checkpoint_store.require_known_key(trail_keys().ring)  # else rows of before would be called forged
                snapshot = current_snapshot()
                work = ranges_to_seal(sealer_state(), sweep=sweep)
            rows = unsealed_rows(work[0], after, batch)
            genuine = with_valid_mac(rows, done)
            if genuine:
                append(genuine)
                done.rows += len(genuine)
                done.checkpoints += 1
            if len(rows) < batch:
                work.pop(0)
                after = None
            else:
                after = rows[-1].xact(), rows[-1].id
            if not work:
                save_sealer_state(snapshot=snapshot)
    done.written = write_out()
    return done


def only_sealer() -> bool:
    """Try to take the sealer's lock until the transaction ends; return whether this succeeded."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def with_valid_mac(rows: Sequence[WireRow], done: Sealed) -> list[WireRow]:
    """Return the rows that the recorder wrote; report the others."""
    keys = trail_keys()
    genuine = [row for row in rows if row.content and keys.has_made(row.mac(), row.content)]
    if len(genuine) < len(rows):
        known = {row.id for row in genuine}
        for row in rows:
            if row.id not in known:
                logger.error("Audit row %s was not written by Vibe and is not sealed. Run: verify_audit", row.id)
                done.forged.append(row.id)
    return genuine


def append(rows: Sequence[WireRow]) -> SignedCheckpoint:
    """Give rows the next positions, and sign a checkpoint over them."""
    keys = trail_keys()
    head = verified_head(keys)
    leaves = [row.leaf() for row in rows]
    checkpoint = Checkpoint.following(
        head, root=root(leaves), count=len(rows), at=timezone.now(), key_id=keys.signing.id
    )
    bulk.insert(
        AuditLeaf._meta.db_table,
        {
            "position": ("int8", range(checkpoint.first, checkpoint.last + 1)),
            "row_id": ("uuid", [row.id for row in rows]),
            "row_at": ("timestamptz", [encode_time(row.at) for row in rows]),
            "leaf": ("bytea", leaves),
        },
    )
    signed = checkpoint.sign(keys.signing)
    checkpoint_store.stored_of(signed).save(force_insert=True)
    return signed


def verified_head(keys: TrailKeys) -> Checkpoint | None:
    """Return the newest checkpoint. Raises ChainBroken if its key is not trusted or the chain is cut off."""
    signed = checkpoint_store.newest_checkpoint()
    last = AuditLeaf.objects.order_by("-position").values_list("position", flat=True).first() or 0
    number, covered = (signed.checkpoint.number, signed.checkpoint.last) if signed else (1, 0)
    if signed and not keys.ring.verify(signed.checkpoint.key_id, signed.checkpoint.encode(), signed.signature):
        raise ChainBroken(number, Fault.SIGNATURE)
    if last != covered:
        raise ChainBroken(number, Fault.POSITION)
    require_witnessed(number if signed else 0)
    return signed.checkpoint if signed else None


def require_witnessed(number: int) -> None:
    """Compare the chain's head with the checkpoint file. Raises ChainBroken if they differ."""
    file = witness.configured_file(settings.AUDIT_CHECKPOINT_FILE)
    last = file.last() if file else None
    if last is None:
        return
    if last.checkpoint.number > number:
        raise ChainBroken(number + 1, Fault.CUT)
    there = checkpoint_store.at_number(last.checkpoint.number)
    if there is None or there.checkpoint.digest() != last.checkpoint.digest():
        raise ChainBroken(last.checkpoint.number, Fault.FORK)


def save_sealer_state(**changes: Any) -> None:
    """Save the progress of the sealer."""
    sealer = sealer_state()
    for name, value in changes.items():
        setattr(sealer, name, value)
    sealer.save()


def write_out() -> int:
    """Write the checkpoints that are not outside the database yet, and return how many there were."""
    file = witness.configured_file(settings.AUDIT_CHECKPOINT_FILE)
    written = 0
    with as_system():
        if file is None and not only_sealer():
            return 0
        last = file.last() if file else None
        start = last.checkpoint.number if last else 0 if file else sealer_state().written
        for page in checkpoint_store.pages(after=start):
            if file:
                written += file.append(page)
            else:
                witness.write_to_log(page)
                written += len(page)
        if file is None and written:
            save_sealer_state(written=start + written)
    return written
