"""The knobs of search. What each gives is measured in docs/search.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

ASSISTED: Final = {"conversation": 0.6, "substance": 0.0, "asking": 0.0, "opening": 0.3}
"""Where an assistant takes part. It answers everything at length, people tell it what matters in requests and
questions, and a conversation is about one matter, which they name first."""
ALONE: Final = {"conversation": 0.0, "substance": 0.0, "vector": 0.65}
"""For notes, where one person talks: each stands by itself."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Round numbers, none of them delicate: half of any, or half as much again, costs a point of recall at most."""

    saturation: float = 1.2
    """BM25's k1: how soon one more of the same word stops counting."""
    length: float = 0.4
    """BM25's b for passages: how much a long one must justify its length. Messages are short, so less than usual."""
    story_length: float = 0.75
    """BM25's b for stories, which differ more in length."""

    vector: float = 0.5
    """Share of meaning in a passage's own score; the rest is words. Without vectors it is all words."""
    near_words: tuple[float, ...] = (0.5, 0.3)
    """What a word counts that stands one, two, ... messages away: question and answer share their words."""
    asking: float = 0.1
    """Taken off a message that asks: it seldom holds the answer."""
    dated: float = 0.3
    """For a message that names a time, if the question asks for one."""
    time: float = 0.3
    """For what was said in a time that the question names, fading outside of it."""
    newest: float = 0.5
    """For the newest of what fits best, if that is preferred."""
    substance: float = 0.3
    """For a long message over a short one: it says more. As the logarithm of its words, full at a hundred."""

    conversation: float = 0.3
    """For a passage, how well its whole conversation fits."""
    conversation_vector: float = 0.3
    """Share of meaning (the mean of its three nearest passages) in how well a conversation fits; the rest is words."""
    opening: float = 0.0
    """For what a person opens a conversation with an assistant with."""
    speaker: float = 0.3
    """For the words of the one whom the question is about."""
    assistant: float = 0.2
    """Taken off what an assistant, a tool or the system said; if that is asked for, twice as much is added."""

    best_passages: float = 0.7
    """Share of its best passages in a story's score; the rest is how well the whole fits."""
    runners_up: float = 0.5
    """What the mean of the second and third best passage counts beside the best."""

    def mixed(self, assisted: float, alone: float) -> Weights:
        """Return the weights for a person of whose passages these shares are ASSISTED, and ALONE.

        All of a person's passages are ranked by the same weights, or those of one kind would go before the others.
        """
        mean = {
            name: getattr(self, name)
            + assisted * (ASSISTED.get(name, getattr(self, name)) - getattr(self, name))
            + alone * (ALONE.get(name, getattr(self, name)) - getattr(self, name))
            for name in (*ASSISTED, *ALONE)
        }
        return replace(self, **mean)
