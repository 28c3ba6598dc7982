"""Sealing: rows that have committed get their place in the order, and a signed checkpoint over them.

Each batch is one transaction, so a sealer killed at any moment leaves whole batches. Checkpoints are written outside
the database after their commit; one that was killed in between, the next run makes up for.
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
LOCK: Final = 0x7365616C  # an advisory lock: two sealers at once, and one works

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Sealed:
    """What a run did."""

    rows: int = 0
    checkpoints: int = 0
    written: int = 0  # checkpoints, outside the database
    forged: list[UUID] = field(default_factory=list)  # rows that the recorder did not write; they stay unsealed
    busy: bool = False  # another sealer is at work


def seal(*, sweep: bool = False, batch: int = BATCH) -> Sealed:
    """Seal every row that has committed, and write new checkpoints outside the database.

    `sweep` looks at all rows instead of new ones. Raises ChainBroken rather than build on a trail whose end is forged
    or cut off, OSError when the checkpoint file cannot be written; what was sealed stays sealed.
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
    """Whether no other sealer works; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def with_valid_mac(rows: Sequence[WireRow], done: Sealed) -> list[WireRow]:
    """Those that the recorder wrote; the others are reported."""
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
    """Give rows the next positions, and sign for them."""
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
    """The newest checkpoint, by a key we believe, not cut short. Raises ChainBroken."""
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
    """Compare the chain's head with what this machine wrote outside. Raises ChainBroken."""
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
    """Keep how far we came."""
    sealer = sealer_state()
    for name, value in changes.items():
        setattr(sealer, name, value)
    sealer.save()


def write_out() -> int:
    """Write the checkpoints that are not outside the database yet. How many they were."""
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
