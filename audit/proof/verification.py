"""Proving the trail: the chain, then every row under it in the order of sealing, then the rows not sealed yet.

Everything streams: memory does not grow with the trail. What appears while it runs is looked at as well, or is new
enough to be left to the next time.
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
    """What was proved."""

    checkpoints: int = 0
    rows: int = 0  # sealed, pruned ones included
    pruned: int = 0  # of these: dropped past their retention, and sworn to
    unsealed: int = 0  # written by the recorder, not sealed yet
    oldest_unsealed: datetime | None = None
    head: SignedCheckpoint | None = None


def prove(
    keys: TrailKeys, witnesses: Iterable[SignedCheckpoint] = (), *, progress: Callable[[int], Any] = lambda _: None
) -> Proof:
    """Prove the whole trail. `progress` is told of rows as they are done.

    Raises the AuditError of the first thing that fails: ChainBroken, BatchBroken, PruningBroken or RowForged.
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
    """The rows without a seal. Raises RowForged at the first that the recorder did not write."""
    with closing(all_unsealed_rows()) as rows:
        for row in rows:
            if not row.content or not keys.has_made(row.mac(), row.content):
                raise RowForged(row.id)
            proof.unsealed += 1
            at = encode_time(row.at)
            proof.oldest_unsealed = min(proof.oldest_unsealed or at, at)
            progress(1)


def windows(checkpoints: Sequence[Checkpoint]) -> Iterator[list[Checkpoint]]:
    """Neighbouring checkpoints that are read in one query."""
    window: list[Checkpoint] = []
    for checkpoint in checkpoints:
        if window and checkpoint.last - window[0].first >= WINDOW:
            yield window
            window = []
        window.append(checkpoint)
    if window:
        yield window


def prove_window(window: Sequence[Checkpoint], pruned: Prunings) -> None:
    """The rows of neighbouring checkpoints. Raises BatchBroken at the first that fails."""
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
    """The seals of these positions, each with the hash of its row."""
    with connection.cursor() as cursor:  # else the planner would read the whole trail for every window
        cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    return read_sealed(f"{SEALED} WHERE l.position BETWEEN %s AND %s ORDER BY l.position", [first, last], pruned)


def read_sealed(
    query: str, parameters: Sequence[Any], pruned: Prunings | None = None
) -> Generator[SealedRow, None, None]:
    """What a query that begins with SEALED gives. To be read to its end or closed, see audit.proof.wire.copy."""
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
    """The months that were pruned, and what was found missing from them."""

    def __init__(self, keys: TrailKeys) -> None:
        self._keys = keys
        self._stated = {stored.month: stored for stored in AuditPruning.objects.all()}
        self._missing: dict[date, Missing] = {month: Missing() for month in self._stated}

    def excused(self, at: bytes, position: int, leaf: bytes) -> bytes | None:
        """The leaf hash, to be taken for a missing row of a pruned month; None for any other month."""
        try:
            missing = self._missing.get(encode_time(at).date().replace(day=1))
        except OverflowError:
            return None
        if missing is None:
            return None
        missing.add(position, leaf)
        return leaf

    def settle(self) -> int:
        """Compare. How many rows were pruned; raises PruningBroken for the first month that does not fit."""
        for month, stored in sorted(self._stated.items()):
            stated = Pruned(month, stored.count, bytes(stored.digest), bytes(stored.key_id))
            if len(stated.digest) != 32 or not stated.holds(
                self._missing[month], bytes(stored.signature), self._keys.ring
            ):
                raise PruningBroken(f"{month:%Y-%m}")
        return sum(missing.count for missing in self._missing.values())


def refuse_stray_seals() -> None:
    """Seals that no checkpoint covers. In one statement, for a sealer may be at work."""
    covered = AuditCheckpoint._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position, row_id FROM audit_leaves WHERE position < 1 OR position > "  # noqa: S608
            f"(SELECT coalesce(max(first + count - 1), 0) FROM {covered}) ORDER BY position LIMIT 1"
        )
        if stray := cursor.fetchone():
            raise BatchBroken(0, Fault.POSITION, position=stray[0], row_id=stray[1])


def covering(position: int) -> SignedCheckpoint | None:
    """The checkpoint over a position."""
    stored = AuditCheckpoint.objects.filter(first__lte=position).order_by("-first").first()
    return checkpoint_store.signed_of(stored) if stored else None
