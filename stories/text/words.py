"""What of a text is counted as words: the same function for a passage and for a question, or they never meet.

Lower case, no accents on Latin letters, no stop words, Snowball stems (Porter 2, https://snowballstem.org). Scripts
that do not put spaces between words (Chinese, Japanese, Thai, ...) give overlapping pairs of characters instead, which
need no dictionary and search about as well (Nie et al., "On the use of words and n-grams for Chinese IR", 2000).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Protocol

import snowballstemmer

from stories.text.irregular import BASE_FORMS
from vibe.core.normal_forms import normalized

MAX_CHARACTERS = 200_000
"""Of one text; what comes after is not counted."""
MAX_WORD = 40
"""Characters of one word; longer ones are cut (addresses, keys, a cat on the keyboard)."""

_COMMON = """
    a about am an and are as at be been being but by can could did do does doing done down for from had has have having
    he her here hers him his how i if in into is it its just me might mine must my no nor not of off on onto or our ours
    out over shall she should so than that the their theirs them then there these they this those to too under up us
    very was we were what when where which who whom whose why will with would you your yours
    aren couldn d didn doesn don hadn hasn haven isn ll m re s shouldn t ve wasn weren won wouldn
"""
STOP_WORDS = frozenset(_COMMON.split())


def _marks() -> str:
    """Combining marks as a character class: they are part of a word (Hindi vowels), but `\\w` leaves them out."""
    points = (*range(0x300, 0x1B00), *range(0x1DC0, 0x1E00), *range(0x20D0, 0x2100))
    return "".join(re.escape(chr(point)) for point in points if unicodedata.category(chr(point)) in {"Mn", "Mc"})


_RUN = re.compile(rf"(?:[^\W_]|[{_marks()}])+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]+)"
)
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\b")
_YEAR = "january february march april may june july august september october november december"
_MONTHS = tuple(_YEAR.split())


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802  (the name that Snowball gives it)


class _Stemmers(threading.local):
    """One stemmer per thread and language: Snowball keeps the word it is working on in the object."""

    def __init__(self) -> None:
        self._made: dict[str, _Stemmer] = {}

    def of(self, language: str) -> _Stemmer:
        if language not in self._made:
            self._made[language] = snowballstemmer.stemmer(language)
        return self._made[language]


_stemmers = _Stemmers()


def words(text: str, language: str = "english") -> list[str]:
    """The words of a text in order, with repeats. `language` names a Snowball stemmer."""
    plain = _POSSESSIVE.sub("", normalized("NFKC", text[:MAX_CHARACTERS]).casefold())
    found: list[str] = []
    for run in _RUN.findall(plain):
        for part in _UNSPACED.split(run):
            if _UNSPACED.fullmatch(part):
                found += _pairs(part)
            elif part and (word := _word(part[:MAX_WORD], language)):
                found.append(word)
    return found


def date_words(day: date) -> list[str]:
    """The words by which a day is asked for: "8 May 2023" finds what was said on it."""
    return [str(day.day), *words(_MONTHS[day.month - 1]), str(day.year)]


@lru_cache(maxsize=50_000)
def _word(token: str, language: str) -> str:
    """The stem under which a token is counted; empty for a stop word."""
    token = _without_accents(token)
    if language != "english":
        return _stemmers.of(language).stemWord(token)
    if token in STOP_WORDS:
        return ""
    return _stemmers.of(language).stemWord(BASE_FORMS.get(token, token))


def _without_accents(token: str) -> str:
    """Café as cafe; marks on other than Latin letters carry meaning and stay."""
    if token.isascii():
        return token
    parted = unicodedata.normalize("NFKD", token)
    bare = "".join(letter for letter in parted if not unicodedata.combining(letter))
    return bare if bare.isascii() else token


def _pairs(run: str) -> list[str]:
    """Overlapping pairs of characters; one character alone stays as it is."""
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]
