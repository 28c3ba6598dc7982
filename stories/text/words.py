"""What of a text is counted as words: the same function for a passage and for a question, or they never meet.

A word is counted under the English stem (Porter 2, https://snowballstem.org) of its folded spelling
(vibe.core.folding), whatever its language, so that equal words meet even where the language was guessed wrong. Beside
that it has further forms, which cost the text no length: the stem of its own language, the spelling in two letters
(Mueller), the parts joined (email of e-mail). English stop words are not counted.

Scripts that do not put spaces between words (Chinese, Japanese, Thai, ...) give overlapping pairs of characters
instead, which need no dictionary and search about as well (Nie et al., "On the use of words and n-grams for Chinese
IR", 2000); of Chinese, Japanese and Korean each character too.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

import snowballstemmer

from stories.text.languages import ENGLISH, language_of
from vibe.core.folding import APOSTROPHES, HYPHENS, INVISIBLE, fold, normalized, spelled_out

FILE = Path(__file__).with_name("stop_words.txt")

_COMMON = """
    a about am an and are as at be been being but by can could did do does doing done down for from had has have having
    he her here hers him his how i if in into is it its just me might mine must my no nor not of off on onto or our ours
    out over shall she should so than that the their theirs them then there these they this those to too under up us
    very was we were what when where which who whom whose why will with would you your yours
    aren couldn d didn doesn don hadn hasn haven isn ll m re s shouldn t ve wasn weren won wouldn
"""
STOP_WORDS = frozenset(_COMMON.split())
"""English ones, which are never counted."""

INTERJECTIONS = frozenset("对嗯嘿哇吗好和但啊哦呀吧呢唉嘛")
"""Chinese words of one character that often stand between commas."""

_FAMILIES = """
become became; begin began begun; bend bent; bite bit bitten; bleed bled;
blow blew blown; break broke broken; breed bred; bring brought; build built; burn burnt; buy bought;
catch caught; choose chose chosen; come came; creep crept; deal dealt; dig dug; draw drew drawn;
dream dreamt; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel felt;
fight fought; find found; flee fled; fly flew flown; forbid forbade forbidden; forget forgot forgotten;
forgive forgave forgiven; freeze froze frozen; get got gotten; give gave given; go went gone; grind ground;
grow grew grown; hang hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt;
know knew known; lay laid; lead led; lean leant; leap leapt; learn learnt; leave left; lend lent; light lit;
lose lost; make made; mean meant; meet met; mistake mistook mistaken; pay paid; ride rode ridden; ring rang rung;
rise rose risen; run ran; say said; see saw seen; seek sought; sell sold; send sent; sew sewn; shake shook shaken;
shine shone; shoot shot; show shown; shrink shrank shrunk; sing sang sung; sink sank sunk; sit sat; sleep slept;
slide slid; speak spoke spoken; spend spent; spin spun; spring sprang sprung; stand stood; steal stole stolen;
stick stuck; strike struck; swear swore sworn; sweep swept; swell swollen; swim swam swum; swing swung;
take took taken; teach taught; tear tore torn; tell told; think thought; throw threw thrown;
understand understood; wake woke woken; wear wore worn; weave wove woven; weep wept; win won; withdraw withdrew;
write wrote written;
child children; man men; woman women; person people; foot feet; tooth teeth; mouse mice; goose geese; ox oxen;
wife wives; life lives; knife knives; leaf leaves; shelf shelves; half halves; loaf loaves; wolf wolves; thief thieves;
good better best; bad worse worst; far further farther;
mother mom mum mommy mummy; father dad daddy; grandmother grandma granny; grandfather grandpa
"""

BASE_FORMS: dict[str, str] = {
    form: family.split()[0] for family in _FAMILIES.replace("\n", " ").split(";") for form in family.split()[1:]
}
"""Each irregular form to the form it is counted under; regular forms are the stemmer's business."""

MAX_CHARACTERS = 200_000
"""Of one text; what comes after is not counted."""
MAX_WORD = 40
"""Characters of one word; longer ones are cut (addresses, keys, a cat on the keyboard)."""
LEAST_PART = 3
"""Characters of a part of a joined word (Brien of O'Brien) that finds it alone."""

_SUFFIXES = frozenset({"s", "t", "d", "m", "ll", "re", "ve"})
"""What English puts behind an apostrophe."""
_ELIDED = """
    l d j m t s n c qu jusqu lorsqu puisqu quoiqu quelqu
    un dell all nell sull dall coll quest quell gl degl dagl negl sugl agl bell sant
"""
_ELISIONS = frozenset(_ELIDED.split())
"""What French, Italian and Catalan put before an apostrophe; the word comes after it."""


@cache
def stop_words() -> dict[str, tuple[str, ...]]:
    """Return the stop words by the name of the language's Snowball stemmer, as Snowball writes them."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    listed = (line.partition("\t") for line in lines if not line.startswith("#"))
    return {language: tuple(words.split(" ")) for language, _, words in listed}


def _marks() -> str:
    """Combining marks as a character class: they are part of a word (Hindi vowels), but `\\w` leaves them out."""
    points = (*range(0x300, 0x1B00), *range(0x1DC0, 0x1E00), *range(0x20D0, 0x2100))
    return "".join(re.escape(chr(point)) for point in points if unicodedata.category(chr(point)) in {"Mn", "Mc"})


_LETTER = rf"(?:[^\W_]|[{_marks()}])"
_EMOJI = "[\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_RUN = re.compile(rf"{_LETTER}+(?:['-]{_LETTER}+)*|{_EMOJI}")
_CHINESE_JAPANESE_KOREAN = (
    "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff{_CHINESE_JAPANESE_KOREAN}]+)")
_SINGLE = re.compile(f"[{_CHINESE_JAPANESE_KOREAN}]")
_HEBREW_ACRONYM = re.compile('(?<=[\u05d0-\u05ea])["\u05f4](?=[\u05d0-\u05ea])')
_ALIKE: dict[int, str | None] = {
    **INVISIBLE,
    **dict.fromkeys(map(ord, APOSTROPHES), "'"),
    **dict.fromkeys(map(ord, HYPHENS), "-"),
}
_YEAR = "january february march april may june july august september october november december"
_MONTHS = tuple(_YEAR.split())

_TA = ("\u0629", "\u062a")
"""The ending of most Arabic feminine nouns, alone and before a suffix, which the stemmer leaves: cat, my cat."""

Forms = tuple[str, ...]
"""The forms of one word. The first is its own, the others are further ones by which it is found."""


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


def words(text: str, language: str | None = None) -> list[str]:
    """Return all forms of the words of a text in order, with repeats. `language` as for `forms`."""
    return [form for word in forms(text, language) for form in word]


def asked_words(text: str, language: str | None = None) -> list[str]:
    """Return the forms under which the words of a question are looked up.

    Without the stop words of its language, if it has two: one alone may be a word of another language. Of a question
    that has nothing else all are kept. A Chinese, Japanese or Korean character is looked up by itself only where it
    stands alone: beside pairs it would blur what they tell.
    """
    language = language or language_of(text)
    asked = forms(text, language)
    common = _stop_forms(language).intersection(word[0] for word in asked)
    common = INTERJECTIONS.union(common if len(common) > 1 else ())
    telling = [word for word in asked if word[0] not in common] or asked
    return [form for word in telling for form in word if len(word) == 1 or not _SINGLE.fullmatch(form)]


@cache
def _stop_forms(language: str) -> frozenset[str]:
    """The own forms of a language's stop words; of English ones none are counted anyway."""
    return frozenset(own_words(" ".join(stop_words().get(language, ()))))


def own_words(text: str) -> list[str]:
    """Return each word of a name or a date under its own form alone."""
    return [word[0] for word in forms(text, ENGLISH)]


def forms(text: str, language: str | None = None) -> list[Forms]:
    """Return the words of a text in order, with repeats. Their number is the length of the text.

    `language` names a Snowball stemmer; None for the language that the text seems to be in.
    """
    text = text[:MAX_CHARACTERS]
    language = language or language_of(text)
    plain = (
        text.replace("`", "'")
        if text.isascii()
        else _HEBREW_ACRONYM.sub("", normalized("NFKC", text.translate(_ALIKE)))
    )
    plain = plain.casefold()
    found: list[Forms] = []
    for run in _RUN.findall(plain):
        found += _read(run, language) if len(run) <= MAX_WORD else _read_long(run, language)
    return found


def date_words(day: date) -> list[str]:
    """Return the words by which a day is asked for: "8 May 2023" finds what was said on it."""
    return [str(day.day), *own_words(_MONTHS[day.month - 1]), str(day.year)]


def _read_long(run: str, language: str) -> list[Forms]:
    """The words of a run that is too long to be one, or to be remembered."""
    return [word for part in re.split("['-]", run) for word in _read_part(part, language)]


@lru_cache(maxsize=50_000)
def _read(run: str, language: str) -> tuple[Forms, ...]:
    """The words of letters that hyphens and apostrophes may hold together."""
    found = [word for part in run.split("-") for word in _read_apostrophes(part, language)]
    joined = run.replace("-", "").replace("'", "")
    if "-" in run and not joined.isdigit() and not _UNSPACED.search(joined):
        found = [(*(found[0] if found else ()), *_word(joined, language)), *found[1:]]
    return tuple(map(_unique, filter(None, found)))


def _read_apostrophes(part: str, language: str) -> list[Forms]:
    if "'" not in part:
        return list(_read_part(part, language))
    pieces = part.split("'")
    if len(pieces) > 1 and pieces[-1] in _SUFFIXES:
        return _read_apostrophes("'".join(pieces[:-1]), language)
    elided = pieces[0] in _ELISIONS
    own = _read_part("".join(pieces[elided:]), language)
    further = [piece for piece in pieces if len(piece) >= LEAST_PART]
    if elided:
        further.append("".join(pieces))
    others = [form for piece in further for word in _read_part(piece, language) for form in word]
    return [(*own[0], *others), *own[1:]] if own else []


def _read_part(part: str, language: str) -> list[Forms]:
    """The words of letters alone."""
    found: list[Forms] = []
    for piece in _UNSPACED.split(part):
        if _UNSPACED.fullmatch(piece):
            found += _characters(fold(piece))
        elif piece and (word := _word(piece[:MAX_WORD], language)):
            found.append(word)
    return found


@lru_cache(maxsize=50_000)
def _word(token: str, language: str) -> Forms:
    """The forms of one word; none of a stop word."""
    plain = fold(token)
    if not plain or plain in STOP_WORDS:
        return ()
    found = [_english_stem(plain), _english_stem(spelled_out(token))]
    if language != ENGLISH:
        stem = _stemmers.of(language).stemWord(token)
        found.append(fold(stem))
        if language == "arabic" and len(stem) > 2 and stem.endswith(_TA):
            found.append(fold(stem[:-1]))
    return _unique(found)


def _english_stem(plain: str) -> str:
    return _stemmers.of(ENGLISH).stemWord(BASE_FORMS.get(plain, plain))


def _characters(run: str) -> list[Forms]:
    """Overlapping pairs of characters, and each character; one character alone stays as it is."""
    pairs = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    return [(pair, *_SINGLE.findall(pair[:1])) for pair in pairs[:-1]] + [(pairs[-1], *_SINGLE.findall(pairs[-1]))]


def _unique(word: Iterable[str]) -> Forms:
    return tuple(dict.fromkeys(filter(None, word)))
