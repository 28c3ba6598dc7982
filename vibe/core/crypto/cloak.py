"""The cloak: a secret rotation of every embedding, one for each person.

An orthogonal map keeps every cosine within one person, and scatters people apart. It is drawn uniformly from all
rotations and reflections (by Haar measure) as a product of Householder reflections of Gaussian vectors of falling
length, with the signs of the diagonal put right (G. W. Stewart, "The efficient generation of random orthogonal
matrices", SIAM J. Numer. Anal. 17, 1980). Without the signs the map leans towards turning each vector around, enough
to tell a person's vectors from chance.

The Gaussians come from an AES-256-CTR key stream by Box-Muller, so the map never depends on a library's generator.
Single precision: maps made on different machines agree to about 1e-6.

What it is not: who knows as many (text, stored vector) pairs of one person as there are dimensions recovers that
person's rotation. See docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

Vectors = npt.NDArray[np.float32]
BLOCK = 32


class Block(NamedTuple):
    """Up to 32 reflections as I - V T V', the compact WY form (R. Schreiber and C. Van Loan, SIAM J. Sci. Stat.
    Comput. 10, 1989). They leave the coordinates before `start` alone."""

    start: int
    directions: Vectors  # V, shape (dimensions - start, up to 32)
    mixing: Vectors  # T, upper triangular


class Cloak:
    """The rotation of one person, for vectors of `dimensions` numbers. Several threads may use one cloak."""

    __slots__ = ("_blocks", "_signs", "dimensions")

    def __init__(self, key: bytes, dimensions: int) -> None:
        self.dimensions = dimensions
        normal = gaussians(key, dimensions * (dimensions + 1) // 2)
        directions, self._signs = reflectors(normal, dimensions)
        self._blocks = list(blocks(directions))

    def apply(self, vectors: Vectors) -> Vectors:
        """Rotate vectors of shape (n, d), d <= dimensions; shorter ones are padded with zeros.

        Gives shape (n, dimensions). Raises ValueError for longer vectors.
        """
        count, width = vectors.shape
        if width > self.dimensions:
            raise ValueError(f"Vectors of {width} dimensions do not fit the cloak's {self.dimensions}.")
        rotated = np.zeros((count, self.dimensions), dtype=np.float32)
        rotated[:, :width] = vectors
        for start, directions, mixing in self._blocks:
            rotated[:, start:] -= ((rotated[:, start:] @ directions) @ mixing) @ directions.T
        rotated *= self._signs
        return rotated


def blocks(columns: Vectors) -> Iterator[Block]:
    """The reflections of a lower triangle in blocks; T inverts the unit upper triangle of V'V."""
    for start in range(0, columns.shape[1], BLOCK):
        part = np.ascontiguousarray(columns[start:, start : start + BLOCK])
        upper = np.triu(part.T @ part, 1) + np.eye(part.shape[1], dtype=np.float32)
        yield Block(start, part, np.linalg.inv(upper))


def reflectors(normal: npt.NDArray[np.float64], dimensions: int) -> tuple[Vectors, Vectors]:
    """Householder vectors and signs, from dimensions * (dimensions + 1) / 2 Gaussians.

    The vectors are the columns u of a lower triangle, of squared length 2: x - (x.u) u reflects x. Each is
    g + sign(g1) |g| e1 for a Gaussian g (so nothing cancels), and takes g to -sign(g1) |g| e1: that is the sign.
    """
    lower = np.zeros((dimensions, dimensions - 1))
    for column, end in enumerate(np.cumsum(np.arange(dimensions, 1, -1))):
        lower[column:, column] = normal[end - dimensions + column : end]
    diagonal = np.einsum("ii->i", lower[:-1])
    signs = -np.copysign(1.0, np.append(diagonal, normal[-1]))
    diagonal += np.copysign(np.linalg.norm(lower, axis=0), diagonal)
    return (lower * (np.sqrt(2.0) / np.linalg.norm(lower, axis=0))).astype(np.float32), signs.astype(np.float32)


def gaussians(key: bytes, count: int) -> npt.NDArray[np.float64]:
    """`count` standard normal numbers from the key stream of AES-256-CTR, by Box-Muller (1958)."""
    pairs = (count + 1) // 2
    stream = Cipher(AES(key), CTR(bytes(16))).encryptor().update(bytes(16 * pairs))
    uniform = (np.frombuffer(stream, dtype="<u8") >> np.uint64(11)).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log((uniform[:pairs] + 1.0) * 2.0**-53))
    angle = uniform[pairs:] * (2.0 * np.pi * 2.0**-53)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
