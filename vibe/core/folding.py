"""One folding of spellings, for everything that is compared blind: words, names of entities, filters, speakers.

Two texts are equal here when a reader calls them spellings of one: whatever their case, width, Unicode form, accents,
vowel points and invisible characters. It loses differences on purpose (German "schon" and "schön" are one), because
people leave marks out when they ask. Texts that are shown are never folded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, islice
from typing import Final, Literal

MOST_MARKS: Final = 30
"""Combining marks in a row. No language needs as many (Unicode Standard Annex 15, Stream-Safe Text Format)."""
_MARKS_IN_PARTS: Final = "\u0f73\u0f75\u0f81\uff9e\uff9f"  # no combining class, but taken apart they are marks

LONGEST_WORD: Final = 40
"""Characters of what is remembered folded."""

APOSTROPHES: Final = "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u055a\u05f3\u2018\u2019\u201b\u2032\uff07\u1ffd"
"""What people type for an apostrophe. None of them parts a word: O'Brien is OBrien."""
HYPHENS: Final = "-\u2010\u2011\ufe63\uff0d"


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


def _points(*spans: tuple[int, int]) -> Iterator[int]:
    for first, last in spans:
        yield from range(first, last + 1)


_INVISIBLE = _points(  # soft hyphen, zero-width space, joiners, word joiner, marks of direction, variation selectors
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0x1F3FB, 0x1F3FF), (0xE0000, 0xE0FFF),
)  # fmt: skip
INVISIBLE: Final[dict[int, None]] = dict.fromkeys(_INVISIBLE)
"""For str.translate: characters that are not seen, or (skin tones) only colour the one before them."""

_OPTIONAL_MARKS = _points(  # Latin, Greek, Cyrillic accents; Hebrew points; Arabic vowel marks and hamza; Syriac points
    (0x300, 0x36F), (0x483, 0x487), (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5), (0x5C7, 0x5C7),
    (0x610, 0x61A), (0x64B, 0x65F), (0x670, 0x670), (0x6D6, 0x6DC), (0x6DF, 0x6E4), (0x6E7, 0x6E8), (0x6EA, 0x6ED),
    (0x711, 0x711), (0x730, 0x74A), (0x8D3, 0x8E1), (0x8E3, 0x8FF), (0x1AB0, 0x1ACE), (0x1DC0, 0x1DFF),
    (0x20D0, 0x20F0), (0xFE20, 0xFE2F),
)  # fmt: skip
_TATWEEL = 0x640

_LETTERS = {
    # Latin letters that Unicode does not take apart.
    "\u0142": "l", "\u00f8": "o", "\u00e6": "ae", "\u0153": "oe", "\u0111": "d", "\u00f0": "d", "\u0256": "d",
    "\u00fe": "th", "\u0127": "h", "\u0167": "t", "\u0131": "i", "\u014b": "n", "\u0138": "k",
    "\u0253": "b", "\u0257": "d", "\u0199": "k", "\u01b4": "y",
    # Arabic script: the letters of Persian and Urdu, ta marbuta, alef maksura, alef wasla.
    "\u0671": "\u0627", "\u0629": "\u0647", "\u06c1": "\u0647", "\u06be": "\u0647", "\u06c3": "\u0647",
    "\u06d5": "\u0647", "\u0649": "\u064a", "\u06cc": "\u064a", "\u06d2": "\u064a", "\u06d0": "\u064a",
    "\u06a9": "\u0643", "\u06aa": "\u0643",
    # Yiddish letters that are two, and the sign in Hebrew acronyms.
    "\u05f0": "\u05d5\u05d5", "\u05f1": "\u05d5\u05d9", "\u05f2": "\u05d9\u05d9", "\u05f4": "",
    # Devanagari: the two signs of a nasal vowel are written for one another.
    "\u0901": "\u0902",
}  # fmt: skip
_KATAKANA = {0x60 + hiragana: chr(hiragana) for hiragana in (*range(0x3041, 0x3097), 0x309D)}
_DIGITS = {
    point: str(digit) for point in range(0x80, 0x20000) if (digit := unicodedata.decimal(chr(point), None)) is not None
}
_NUKTAS = (point for point in range(0x900, 0x12000) if unicodedata.combining(chr(point)) == 7)

_FOLDED: dict[int, str | None] = {
    **dict.fromkeys((*_OPTIONAL_MARKS, *_NUKTAS, _TATWEEL, *map(ord, APOSTROPHES))),
    **INVISIBLE,
    **{ord(letter): folded for letter, folded in _LETTERS.items()},
    **dict.fromkeys(map(ord, HYPHENS), "-"),
    **_KATAKANA,
    **_DIGITS,
}
_KEPT_TOGETHER = {"\u0438\u0306": "\u0439", "\u0443\u0306": "\u045e", "\u0456\u0308": "\u0457", " \u0301": "'"}
"""Cyrillic letters whose mark is no accent (short i and u, yi), and an accent that was typed for an apostrophe."""
_IN_TWO_LETTERS = str.maketrans(
    {"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00f8": "oe", "\u00e5": "aa", "\u0111": "dj"}
)


def fold(value: str) -> str:
    """Return the spelling under which a value is compared. Folding again changes nothing.

    NFKC and case folding (Unicode 3.13, D146); without accents and other marks that people leave out, apostrophes and
    invisible characters; digits in ASCII, katakana as hiragana; runs of white space as one space.
    """
    if value.isascii():
        return " ".join(value.casefold().replace("'", "").replace("`", "").split())
    return _fold_word(value) if len(value) <= LONGEST_WORD else _fold(value)


def _fold(value: str) -> str:
    value = normalized("NFKD", normalized("NFKD", value).casefold()).casefold()
    for parted, letter in _KEPT_TOGETHER.items():
        value = value.replace(parted, letter)
    return " ".join(normalized("NFC", value.translate(_FOLDED)).split())


_fold_word = lru_cache(maxsize=20_000)(_fold)
"""The same words come again and again: of a message, of its copies, of questions."""


def spelled_out(value: str) -> str:
    """Return the folded value with two letters where some languages write them for one: Mueller, Aarhus, Djurdja.

    It is what `fold` gives for most values. The other spelling of the rest meets it, and not what `fold` gives.
    """
    if value.isascii():
        return fold(value)
    return fold(normalized("NFC", value).casefold().translate(_IN_TWO_LETTERS))
