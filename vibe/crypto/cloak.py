"""The cloak: a secret rotation of every embedding, one for each person.

An orthogonal map keeps every cosine within one person, and scatters people apart. It is drawn uniformly from all
rotations and reflections as a product of Householder reflections of Gaussian vectors of falling length
(G. W. Stewart, "The efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17, 1980).
The Gaussians come from an AES-256-CTR key stream by Box-Muller, so the map never depends on a library's generator.

What it is not: who knows as many (text, stored vector) pairs of one person as there are dimensions recovers that
person's rotation. See docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

Vectors = npt.NDArray[np.float32]
BLOCK = 32


class Cloak:
    """The rotation of one person, for vectors of `dimensions` numbers.

    The reflections are applied in blocks of 32 as I - V T V', the compact WY form (R. Schreiber and C. Van Loan,
    SIAM J. Sci. Stat. Comput. 10, 1989), so that rotating is a few matrix products.
    """

    __slots__ = ("_blocks", "_sign", "dimensions")

    def __init__(self, key: bytes, dimensions: int) -> None:
        self.dimensions = dimensions
        normal = gaussians(key, dimensions * (dimensions + 1) // 2)
        self._sign = np.float32(np.copysign(1.0, normal[-1]))
        self._blocks = list(blocks(reflectors(normal[:-1], dimensions)))

    def apply(self, vectors: Vectors) -> Vectors:
        """Rotate vectors of shape (n, d), d <= dimensions; shorter ones are padded with zeros.

        Gives shape (n, dimensions). Raises ValueError for longer vectors.
        """
        count, width = vectors.shape
        if width > self.dimensions:
            raise ValueError(f"Vectors of {width} dimensions do not fit the cloak's {self.dimensions}.")
        rotated = np.zeros((count, self.dimensions), dtype=np.float32)
        rotated[:, :width] = vectors
        for directions, mixed in self._blocks:
            rotated -= (rotated @ mixed) @ directions.T
        rotated[:, -1] *= self._sign
        return rotated


def blocks(columns: Vectors) -> Iterator[tuple[Vectors, Vectors]]:
    """Each block as (V, V T), where T inverts the unit upper triangle of V'V."""
    for start in range(0, columns.shape[1], BLOCK):
        part = columns[:, start : start + BLOCK]
        upper = np.triu(part.T @ part, 1) + np.eye(part.shape[1], dtype=np.float32)
        yield part, part @ np.linalg.inv(upper)


def reflectors(normal: npt.NDArray[np.float64], dimensions: int) -> Vectors:
    """Householder vectors u as the columns of a lower triangle, of squared length 2: x - (x.u) u reflects x."""
    rows, columns = np.triu_indices(dimensions, 0)
    lower = np.zeros((dimensions, dimensions - 1))
    lower[columns[:-1], rows[:-1]] = normal
    diagonal = np.einsum("ii->i", lower[:-1])
    diagonal += np.copysign(np.linalg.norm(lower, axis=0), diagonal)
    return (lower * (np.sqrt(2.0) / np.linalg.norm(lower, axis=0))).astype(np.float32)


def gaussians(key: bytes, count: int) -> npt.NDArray[np.float64]:
    """`count` standard normal numbers from the key stream of AES-256-CTR, by Box-Muller (1958)."""
    pairs = (count + 1) // 2
    stream = Cipher(AES(key), CTR(bytes(16))).encryptor().update(bytes(16 * pairs))
    uniform = (np.frombuffer(stream, dtype="<u8") >> np.uint64(11)).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log((uniform[:pairs] + 1.0) * 2.0**-53))
    angle = uniform[pairs:] * (2.0 * np.pi * 2.0**-53)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
