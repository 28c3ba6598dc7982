"""A sealed value as it travels through Python: opaque, and only opened on purpose."""

from __future__ import annotations

from typing import NoReturn


class Sealed:
    """Ciphertext of one column. It does not print, compare or hash as text: opening it is an act of its own.

    Two are equal when their bytes are, so a copied row equals its original; two sealings of one text never are.
    Copying and pickling carry the ciphertext and nothing else. It has no length, no truth of its own and no order.
    """

    __slots__ = ("ciphertext",)

    def __init__(self, ciphertext: bytes) -> None:
        self.ciphertext = ciphertext

    def __repr__(self) -> str:
        return f"<sealed, {len(self.ciphertext)} bytes>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.ciphertext == other.ciphertext

    def __hash__(self) -> NoReturn:
        raise TypeError("A sealed value cannot be a key: every sealing of the same text differs.")
