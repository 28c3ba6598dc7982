"""Merkle tree hashing as in Certificate Transparency (RFC 6962, section 2.1; RFC 9162, section 2.1).

Leaves and nodes are hashed with different prefixes, so no node can be passed off as a leaf. A tree of n leaves splits
at the largest power of two below n. Everything after `leaf_hash` works on leaf hashes, 32 bytes each.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32  # bytes
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash the content of one leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbouring subtrees into their parent."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The root of a growing tree, in memory that grows with the logarithm of its size.

    Kept are the roots of the full subtrees that the leaves so far fill: one for each bit set in `size`.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0  # leaves
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        peaks, carry = self._peaks, self.size
        while carry & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            carry >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        *rest, root = self._peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root of a tree of these leaf hashes.

    Level by level: neighbours are paired, and one without a neighbour goes up as it is. That is the same tree.
    """
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        alone = level[-1:] if len(level) & 1 else []
        left = iter(level)
        level = [sha256(b"\x01" + one + other).digest() for one, other in zip(left, left, strict=False)] + alone
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from the leaf at `index` (from 0) up to the root: PATH of RFC 6962.

    Raises IndexError if there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError("no leaf at this index")
    proof: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(root(leaves[middle:end]))
            end = middle
        else:
            proof.append(root(leaves[start:middle]))
            start = middle
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Say whether `leaf` is at `index` in the tree of `size` leaves with this root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(leaf, expected_root, *proof):
        return False
    node, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            current = node_hash(sibling, current)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and current == expected_root


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Return the hashes that show the tree of the first `first` leaves to be a beginning of this one.

    This is PROOF of RFC 6962. Raises ValueError unless 0 < first <= len(leaves).
    """
    if not 0 < first <= len(leaves):
        raise ValueError("the earlier tree must have at least one leaf and no more than the later one")
    proof: list[bytes] = []
    start, end, boundary_known = 0, len(leaves), True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(root(leaves[middle:end]))
            end = middle
        else:
            proof.append(root(leaves[start:middle]))
            start, boundary_known = middle, False
    if not boundary_known:
        proof.append(root(leaves[start:end]))
    return proof[::-1]


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the tree of `first` leaves is a beginning of the tree of `second` (RFC 9162, section 2.1.4.2)."""
    if not 0 < first <= second or not _are_hashes(first_root, second_root, *proof):
        return False
    if first == second:
        return not proof and first_root == second_root
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """Return the largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
