"""Words and their stems, and the words that say nothing."""

from __future__ import annotations

import re

import snowballstemmer  # type: ignore[import-untyped]

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
# Scripts written without spaces: a run of them is no word, two neighbouring signs come closest.
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def listed(words: str) -> frozenset[str]:
    """The words of a list written as text."""
    return frozenset(words.split())


STOP_WORDS = listed(
    """a about above after again against all almost already also although always am an and another any anybody anyone
    anything anyway are aren't around as at away back be became because been before being below between both but by
    can can't cannot come could couldn't did didn't do does doesn't doing don't done down during each either else
    enough even ever every everybody everyone everything few for from further get gets getting give go goes going
    gone gonna got gotta had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers herself
    him himself his how how's however i i'd i'll i'm i've if in instead into is isn't it it'd it'll it's its itself
    just keep kept kind kinda last later least less let let's like little lot lots made make makes making many may
    maybe me might mine more most much must my myself need never new next no nobody none nor not nothing now of off
    often oh ok okay on once one ones only onto or other others our ours ourselves out over own people perhaps place
    plus pretty put quite rather really right said same saw say says see seem seems seen several shall she she'd
    she'll she's should shouldn't since so some somebody someone something sometimes somewhere soon still stuff such
    sure take taken takes taking tell than that that's the their theirs them themselves then there there's these
    they they'd they'll they're they've thing things think this those though thought through till time times to
    today together told tomorrow tonight too took totally toward towards try trying two under until up upon us use
    used usually very wanna want wanted wants was wasn't way ways we we'd we'll we're we've well went were weren't
    what what's whatever when whenever where where's which while who who's whole whom whose why will with within
    without won't would wouldn't yeah yep yes yesterday yet you you'd you'll you're you've your yours yourself
    gotten super wow hey hi hello thanks thank great good awesome amazing cool nice glad happy love loved best
    better big bit definitely absolutely haha lol hope know knew feel feeling felt sounds sound look looks looking
    looked week weekend month year day days weeks months years long first recently lately actually currently finally
    guess mean means point chat talk talking heard hear fun bye"""
)


def shortened(text: str, longest: int) -> str:
    """The text in at most so many characters, cut between words unless one word fills half of it."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > longest // 2 else cut).rstrip(" ,;:-") + "\u2026"


class Stems:
    """Stems of English words, each reckoned once.

    One per transcript: what people said does not stay in memory after it, nor is it shared between threads.
    """

    def __init__(self) -> None:
        self._stemmer = snowballstemmer.stemmer("english")
        self._known: dict[str, str] = {}

    def stem(self, word: str) -> str:
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = str(self._stemmer.stemWord(word)) if len(word) <= 40 else word[:40]
        return known

    def of(self, text: str) -> list[str]:
        """The stems of the telling words of a text, in order, repeats kept."""
        stems = []
        for word in WORD.findall(text.lower()):
            if UNSPACED.match(word):
                stems += [word[index : index + 2] for index in range(max(1, len(word) - 1))]
            elif word not in STOP_WORDS and (len(word) > 2 or not word.isascii()):
                stems.append(self.stem(word.removesuffix("'s")))
        return stems
