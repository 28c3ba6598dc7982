"""Padding of texts to size classes before they are sealed, so that a stored size does not tell which text it is.

Padded form:  text, UTF-8 | 0x80 | as many 0x00 as the class takes (ISO/IEC 7816-4)

The last 0x80 is the mark, whatever the text ends with. The padded text is what the seal authenticates.

Classes are those of Padmé (K. Nikitin, L. Barman, W. Lueks, M. Underwood, J.-P. Hubaux, B. Ford, "Reducing Metadata
Leakage from Encrypted Files and Communication with PURBs", PoPETs 2019(4), algorithm 1): a length L keeps its highest
floor(log2(floor(log2 L))) + 2 bits and is rounded up to them. For the messages of a chat its steps are 4 to 32 bytes,
which leaves 38 sizes in LoCoMo. So no step is below 256: classes are multiples of 256 up to 8,192 bytes, and Padmé's
above. docs/keys.md has what other steps cost and leave.

A reader takes any number of zeros: only the writer knows classes.
"""

from __future__ import annotations

from typing import Final

MARK: Final = b"\x80"
STEP: Final = 256


def size_class(length: int) -> int:
    """Return the size in bytes, mark included, that so many bytes, mark included, are padded to."""
    exponent = length.bit_length() - 1
    mask = max(STEP, 1 << exponent - exponent.bit_length()) - 1
    return (length + mask) & ~mask


def pad(text: bytes) -> bytes:
    """Return the text padded to its size class."""
    marked = text + MARK
    return marked.ljust(size_class(len(marked)), b"\0")


def unpad(padded: bytes) -> bytes:
    """Return the text. Raises ValueError, without the content, where the mark is missing or something follows it."""
    text, mark, zeros = padded.rpartition(MARK)
    if not mark or zeros.strip(b"\0"):
        raise ValueError("The padding is malformed.")
    return text
