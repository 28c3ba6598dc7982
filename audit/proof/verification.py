"""Proof of the audit log: the chain of checkpoints, from the first to the last, then every row under it in the order of
sealing, then the unsealed rows.

Everything streams, in constant memory. Rows that appear during a run are verified in it or in the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from audit.errors import BatchBroken, ChainBroken, Fault, PruningBroken, RowForged, RowNotEncodable, SigningKeyUnknown
from audit.models import AuditCheckpoint, AuditPruning
from audit.proof import checkpoint_store
from audit.proof.checkpoint import GENESIS, Checkpoint, SignedCheckpoint
from audit.proof.keys import TrailKeys
from audit.proof.merkle import HASH_SIZE, root
from audit.proof.pruned import Missing, Pruned
from audit.proof.row_digest import ROW_FORMAT
from audit.proof.signing import KeyRing
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


class ChainVerifier:
    """A verifier that accepts checkpoints in order, and raises ChainBroken at the first that is invalid.

    Witnesses are checkpoints kept outside the database, in any order and with gaps. Only they show that the end of the
    chain was cut off, or all of it dropped: what remains is valid in itself. The newest one is enough.

    A key that has been replaced must not sign again. Otherwise a thief could keep appending with a stolen key after its
    replacement.
    """

    def __init__(self, keys: KeyRing, witnesses: Iterable[SignedCheckpoint] = ()) -> None:
        """Check the witnesses' signatures and that they agree. Raises ChainBroken."""
        self._keys = keys
        self._head: Checkpoint | None = None
        self._retired: set[bytes] = set()
        self._witnessed: dict[int, bytes] = {}  # digest by number: a chain of years fits in memory
        for witness in witnesses:
            self._check_signature(witness)
            number, digest = witness.checkpoint.number, witness.checkpoint.digest()
            if self._witnessed.setdefault(number, digest) != digest:
                raise ChainBroken(number, Fault.FORK)

    def accept(self, signed: SignedCheckpoint) -> Checkpoint:
        """Verify the next checkpoint and return its content. Raises ChainBroken."""
        checkpoint = signed.checkpoint
        expected = self._head.number + 1 if self._head else 1
        if checkpoint.number != expected:
            raise ChainBroken(expected, Fault.NUMBER)
        self._check_signature(signed)
        self._check_link(checkpoint)
        self._check_key_order(checkpoint)
        if self._witnessed.pop(expected, checkpoint.digest()) != checkpoint.digest():
            raise ChainBroken(expected, Fault.FORK)
        self._head = checkpoint
        return checkpoint

    def finish(self) -> Checkpoint | None:
        """Return the newest checkpoint, None if there is none. Raises ChainBroken if a witness is not in the chain."""
        if self._witnessed:
            missing = self._head.number + 1 if self._head else 1
            raise ChainBroken(missing, Fault.CUT)
        return self._head

    def _check_signature(self, signed: SignedCheckpoint) -> None:
        checkpoint = signed.checkpoint
        if checkpoint.key_id not in self._keys:
            raise SigningKeyUnknown(checkpoint.number, checkpoint.key_id, self._keys)
        if not self._keys.verify(checkpoint.key_id, checkpoint.encode(), signed.signature):
            raise ChainBroken(checkpoint.number, Fault.SIGNATURE)

    def _check_link(self, checkpoint: Checkpoint) -> None:
        previous, first = (self._head.digest(), self._head.last + 1) if self._head else (GENESIS, 1)
        if checkpoint.previous != previous:
            raise ChainBroken(checkpoint.number, Fault.LINK)
        if checkpoint.first != first:
            raise ChainBroken(checkpoint.number, Fault.POSITION)

    def _check_key_order(self, checkpoint: Checkpoint) -> None:
        if checkpoint.key_id in self._retired:
            raise ChainBroken(checkpoint.number, Fault.RETIRED_KEY)
        if self._head and self._head.key_id != checkpoint.key_id:
            self._retired.add(self._head.key_id)


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
