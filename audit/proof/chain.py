"""Verification of the chain of checkpoints, from the first to the last."""

from collections.abc import Iterable

from audit.errors import ChainBroken, Fault, SigningKeyUnknown
from audit.proof.checkpoint import GENESIS, Checkpoint, SignedCheckpoint
from audit.proof.signing import KeyRing


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
