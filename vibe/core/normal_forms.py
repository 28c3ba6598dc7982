"""Unicode normal forms in linear time."""

from __future__ import annotations

import unicodedata
from itertools import groupby, islice
from typing import Final, Literal

MOST_MARKS: Final = 30
"""Combining marks in a row. No language needs as many (Unicode Standard Annex 15, Stream-Safe Text Format)."""
_MARKS_IN_PARTS: Final = "\u0f73\u0f75\u0f81\uff9e\uff9f"  # no combining class, but taken apart they are marks


def normalized(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Return the normal form of a text; of combining marks in a row only the first MOST_MARKS are kept.

    Python sorts the marks in a row by insertion: 80,000 of them took a minute.
    """
    if text.isascii():
        return text
    if len(text) <= MOST_MARKS:
        return unicodedata.normalize(form, text)
    runs = groupby(text, key=_is_mark)
    kept = "".join("".join(islice(run, MOST_MARKS) if marks else run) for marks, run in runs)
    return unicodedata.normalize(form, kept)


def _is_mark(character: str) -> bool:
    return unicodedata.combining(character) != 0 or character in _MARKS_IN_PARTS
