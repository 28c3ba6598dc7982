"""Words that are too common to tell anything: of English, and of the languages that Snowball has a list for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

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


@cache
def stop_words() -> dict[str, tuple[str, ...]]:
    """Return the stop words by the name of the language's Snowball stemmer, as Snowball writes them."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    listed = (line.partition("\t") for line in lines if not line.startswith("#"))
    return {language: tuple(words.split(" ")) for language, _, words in listed}
