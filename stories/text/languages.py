"""The language of a text, as the Snowball stemmer for it."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from functools import cached_property, lru_cache
from typing import Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

ENGLISH: Final = "english"

STEMMERS: Final = {
    "ar": "arabic", "bs": "serbian", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": ENGLISH, "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian",
    "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hr": "serbian", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch",
    "nn": "norwegian", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""Languages by their codes (ISO 639-1), each with the name of its Snowball stemmer."""
_WITHOUT_STEMMER = frozenset({"af", "az", "bg", "cy", "is", "la", "lv", "mk", "mr", "ms", "mt", "sk", "sl", "sq", "sw",
                              "tl", "uk", "ur", "uz", "vi"})  # fmt: skip
"""Languages that would be taken for one of those above if they were unknown."""

MAX_READ: Final = 200
"""Characters of a text by which its language is told."""
LEAST_SURE: Final = 0.3
"""The probability below which a language is not believed."""

_WORD = re.compile(r"[a-z]+")
_DISTINCT = """
    the and of you your my that this these those they them their there with have has been what which who where when
    why how would could should were from about not it she out up just than then very because if did does don didn
    doesn isn wasn couldn ll ve re
"""
_ENGLISH_ALONE = frozenset(_DISTINCT.split())
_LETTERS = re.compile("[A-Za-z\u00aa-\u02af\u0370-\u1fff]")
"""Of scripts in which more than one language is told apart."""
_CHINESE_OR_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""A name in Latin letters among these tells no language."""

_OF_SEVERAL_LANGUAGES = frozenset({"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI"})


class _Identifier:
    """py3langid, restricted to languages with a stemmer and those like them.

    Loaded when the first text needs it: half a second and 60 MB, once per process.
    """

    _loading = threading.Lock()

    def classify(self, text: str) -> tuple[str, float]:
        with self._loading:
            loaded = self._loaded
        return loaded.classify(text)  # type: ignore[no-any-return]

    @cached_property
    def _loaded(self) -> LanguageIdentifier:
        whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        whole.set_languages((STEMMERS.keys() | _WITHOUT_STEMMER) & set(whole.labels))
        return LanguageIdentifier(  # without the numbers of all other languages
            whole.nb_ptc, whole.nb_pc, whole.nb_classes, whole.tk_nextmove, whole.tk_output,
            norm_probs=True, tk_row=whole.tk_row,
        )  # fmt: skip


_identifier = _Identifier()


def language_of(text: str) -> str:
    """Return the name of the Snowball stemmer for a text; English where the language is unsure or has none.

    A wrong guess hides no word of a message: see stories.text.words.
    """
    return STEMMERS.get(_code_of(text[:MAX_READ]), ENGLISH)


def tongue_of(text: str) -> str:
    """Return what a text shares its words with, by the name of a stemmer, a code of a language, or a script.

    Two texts of different tongues can have names in common, and little else: only their meaning brings them together.
    English where nothing tells.
    """
    text = text[:MAX_READ]
    if not text.isascii():
        letters = Counter(map(_script_of, text))
        kana = letters["KANA"]
        letters["CJK"] += letters.pop("KANA", 0)
        del letters[""]
        script = max(letters, key=letters.__getitem__)
        if script == "CJK" and letters["CJK"]:
            return "japanese" if kana else "chinese"
        if letters[script] and script not in _OF_SEVERAL_LANGUAGES:
            return script.lower()
    code = _code_of(text)
    return STEMMERS.get(code, code)


@lru_cache(maxsize=10_000)
def _script_of(letter: str) -> str:
    """The script of a letter, as its Unicode name begins; nothing for what is none."""
    script = unicodedata.name(letter, "").split(" ", 1)[0] if letter.isalpha() else ""
    return "KANA" if script.startswith(("HIRAGANA", "KATAKANA")) else script


def _code_of(text: str) -> str:
    """The code of the language of a text; "en" where it is unsure."""
    if _CHINESE_OR_JAPANESE.search(text) or not _LETTERS.search(text) or _is_plainly_english(text):
        return "en"
    code, probability = _identifier.classify(text)
    return code if probability >= LEAST_SURE else "en"


def _is_plainly_english(text: str) -> bool:
    """Whether a text has enough words that only English has. It spares most English texts the model."""
    found = _WORD.findall(text.casefold())
    return 2 * sum(map(_ENGLISH_ALONE.__contains__, found)) >= max(4, len(found) // 3)
