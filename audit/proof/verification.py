"""Proof of the audit log: the chain, then every row under it in the order of sealing, then the unsealed rows.

Everything streams, in constant memory. Rows that appear during a run are verified in it or in the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from audit.errors import BatchBroken, Fault, PruningBroken, RowForged
from audit.models import AuditCheckpoint, AuditPruning
from audit.proof import checkpoint_store
from audit.proof.batch import SealedRow, verify_batch
from audit.proof.chain import ChainVerifier
from audit.proof.checkpoint import Checkpoint, SignedCheckpoint
from audit.proof.keys import TrailKeys
from audit.proof.pruned import Missing, Pruned
from audit.proof.unsealed import all_unsealed_rows
from audit.proof.wire import COLUMNS, FIELDS, copy, encode_time, field, read_leaf
from vibe.core.db.scopes import as_system

WINDOW: Final = 50_000  # rows in one query
SEALED: Final = (
    f"SELECT l.position, l.row_id, l.row_at, l.leaf, {COLUMNS} "  # noqa: S608
    "FROM audit_leaves l LEFT JOIN audit_logs r ON r.id = l.row_id AND r.at = l.row_at"
)
_POSITION: Final = slice(FIELDS + 4, FIELDS + 12)
_ROW_ID: Final = slice(FIELDS + 16, FIELDS + 32)
_ROW_AT: Final = slice(FIELDS + 36, FIELDS + 44)
_LEAF: Final = FIELDS + 44


@dataclass(slots=True)
class Proof:
    """The result of a proof."""

    checkpoints: int = 0
    rows: int = 0  # sealed, pruned ones included
    pruned: int = 0  # of these: dropped past their retention, with a signed statement
    unsealed: int = 0  # written by the recorder, not sealed yet
    oldest_unsealed: datetime | None = None
    head: SignedCheckpoint | None = None


def prove(
    keys: TrailKeys, witnesses: Iterable[SignedCheckpoint] = (), *, progress: Callable[[int], Any] = lambda _: None
) -> Proof:
    """Prove the whole audit log. `progress` is called with the number of rows just proved.

    Raises the AuditError of the first failure: ChainBroken, BatchBroken, PruningBroken or RowForged.
    """
    proof = Proof()
    verifier = ChainVerifier(keys.ring, witnesses)
    with as_system():
        pruned = Prunings(keys)
        for page in checkpoint_store.pages():
            for window in windows([verifier.accept(signed) for signed in page]):
                prove_window(window, pruned)
                rows = window[-1].last - window[0].first + 1
                proof.rows += rows
                proof.checkpoints += len(window)
                progress(rows)
            proof.head = page[-1]
        verifier.finish()
        refuse_stray_seals()
        proof.pruned = pruned.settle()
        prove_unsealed(keys, proof, progress)
    return proof


def prove_unsealed(keys: TrailKeys, proof: Proof, progress: Callable[[int], Any]) -> None:
    """Prove the unsealed rows. Raises RowForged at the first that the recorder did not write."""
    with closing(all_unsealed_rows()) as rows:
        for row in rows:
            if not row.content or not keys.has_made(row.mac(), row.content):
                raise RowForged(row.id)
            proof.unsealed += 1
            at = encode_time(row.at)
            proof.oldest_unsealed = min(proof.oldest_unsealed or at, at)
            progress(1)


def windows(checkpoints: Sequence[Checkpoint]) -> Iterator[list[Checkpoint]]:
    """Yield groups of neighbouring checkpoints, each to be read in one query."""
    window: list[Checkpoint] = []
    for checkpoint in checkpoints:
        if window and checkpoint.last - window[0].first >= WINDOW:
            yield window
            window = []
        window.append(checkpoint)
    if window:
        yield window


def prove_window(window: Sequence[Checkpoint], pruned: Prunings) -> None:
    """Prove the rows of neighbouring checkpoints. Raises BatchBroken at the first that fails."""
    with closing(sealed_rows(window[0].first, window[-1].last, pruned)) as rows:
        ahead: SealedRow | None = None
        for checkpoint in window:
            taken: list[SealedRow] = [] if ahead is None else [ahead]
            ahead = None
            for row in rows:
                if row.position > checkpoint.last:
                    ahead = row
                    break
                taken.append(row)
            verify_batch(checkpoint, taken)


def sealed_rows(first: int, last: int, pruned: Prunings) -> Generator[SealedRow, None, None]:
    """Return the seals of these positions, each with the hash of its row."""
    with connection.cursor() as cursor:  # else the planner would read the whole table for every window
        cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    return read_sealed(f"{SEALED} WHERE l.position BETWEEN %s AND %s ORDER BY l.position", [first, last], pruned)


def read_sealed(
    query: str, parameters: Sequence[Any], pruned: Prunings | None = None
) -> Generator[SealedRow, None, None]:
    """Yield the rows of a query that begins with SEALED. Exhaust or close it, see audit.proof.wire.copy."""
    with closing(copy(query, parameters)) as lines:
        for line in lines:
            position = int.from_bytes(line[_POSITION], "big", signed=True)
            stored, start = field(line, _LEAF)
            leaf = stored or b""
            found = read_leaf(line, start)
            if found is None and pruned:
                found = pruned.excused(line[_ROW_AT], position, leaf)
            yield SealedRow(position, line[_ROW_ID], leaf, found)


class Prunings:
    """The pruned months, and the rows found missing from them."""

    def __init__(self, keys: TrailKeys) -> None:
        self._keys = keys
        self._stated = {stored.month: stored for stored in AuditPruning.objects.all()}
        self._missing: dict[date, Missing] = {month: Missing() for month in self._stated}

    def excused(self, at: bytes, position: int, leaf: bytes) -> bytes | None:
        """Return the leaf hash for a missing row of a pruned month; None for any other month."""
        try:
            missing = self._missing.get(encode_time(at).date().replace(day=1))
        except OverflowError:
            return None
        if missing is None:
            return None
        missing.add(position, leaf)
        return leaf

    def settle(self) -> int:
        """Return how many rows were pruned. Raises PruningBroken for the first month that does not match."""
        for month, stored in sorted(self._stated.items()):
            stated = Pruned(month, stored.count, bytes(stored.digest), bytes(stored.key_id))
            if len(stated.digest) != 32 or not stated.holds(
                self._missing[month], bytes(stored.signature), self._keys.ring
            ):
                raise PruningBroken(f"{month:%Y-%m}")
        return sum(missing.count for missing in self._missing.values())


def refuse_stray_seals() -> None:
    """Raise BatchBroken for a seal that no checkpoint covers. Uses one statement, because a sealer may be running."""
    covered = AuditCheckpoint._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position, row_id FROM audit_leaves WHERE position < 1 OR position > "  # noqa: S608
            f"(SELECT coalesce(max(first + count - 1), 0) FROM {covered}) ORDER BY position LIMIT 1"
        )
        if stray := cursor.fetchone():
            raise BatchBroken(0, Fault.POSITION, position=stray[0], row_id=stray[1])


def covering(position: int) -> SignedCheckpoint | None:
    """Return the checkpoint that covers a position, if any."""
    stored = AuditCheckpoint.objects.filter(first__lte=position).order_by("-first").first()
    return checkpoint_store.signed_of(stored) if stored else None
