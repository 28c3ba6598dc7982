"""The most telling sentences of a transcript, and their telling in a few lines.

Sentences are scored by the words that recur across the transcript (after SumBasic: Nenkova and Vanderwende, 2005), by
what they state, and against what was already chosen (maximal marginal relevance: Carbonell and Goldstein, SIGIR 1998).
Time is linear in the sentences: only the best CANDIDATES are compared with each other.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from stories.processors.offline.clauses import SPEAKER
from stories.processors.offline.names.people import is_machine
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.voice import without_lead_in
from stories.processors.offline.words import WORD, Stems

FEWEST, MOST = 3, 8  # sentences
CANDIDATES = 60
SAMENESS = 2.0  # what full likeness to a chosen sentence costs
ENOUGH = 1.3  # below this score a sentence is no longer worth telling, once there are FEWEST

GREETING = re.compile(
    r"^(?:hi|hey|hello|thanks|thank you|thx|bye|goodbye|congrat\w*|good (?:morning|evening|night|to)|see you|take care|"
    r"long time|great to|nice to|glad|how are|how's|what's up|sounds|wow|aww?|talk to you|no problem|you're welcome|"
    r"welcome|"
    r"of course|can't wait to (?:see|hear)|let me know|keep (?:it )?(?:up|me|going)|check (?:it|this|out)|here's|"
    r"here is|"
    r"take a look|look at|good luck|best of luck|i agree|i hear you|sorry|i'm sorry|i'm (?:so )?(?:glad|happy|"
    r"proud) (?:you|for|"
    r"of you|to hear|that)|i appreciate|i hope|hope|i'm sure|i bet|i know|i'll|i can't wait)\b",
    re.IGNORECASE,
)
DANGLING = re.compile(
    r"^(?:that|that's|this|these|those|it|it's|they|he|she|which|there|such|yes|no|same)\b", re.IGNORECASE
)
# Reflections rather than facts.
MUSING = re.compile(
    r"^(?:[a-z]+ing(?:'s)?\b(?! to\b)|let's|i (?:think|feel|believe|guess|agree|try|find|just try)\b|remember|life|"
    r"we can|we all|"
    r"let|always|never|nothing|everyone|every)\b", re.IGNORECASE,
)  # fmt: skip
ADDRESSED = re.compile(r"\b(?:you|your|you're|you've|you'll|yourself)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Telling:
    """A sentence that was scored; `text` is without its opening, `stems` its telling words."""

    sentence: Sentence
    text: str = field(repr=False)
    stems: frozenset[str] = field(repr=False)
    score: float


def centrality_of(stems_by_sentence: Sequence[Sequence[str]]) -> dict[str, float]:
    """How much of a transcript a word carries, from 0 to 1: the log of the number of sentences it occurs in."""
    counts = Counter(stem for stems in stems_by_sentence for stem in set(stems))
    most = max(counts.values(), default=1)
    return {stem: math.log1p(count) / math.log1p(most) for stem, count in counts.items()}


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of the whole transcript when one sentence of it is weighed.

    `eventful` maps the positions of sentences with an event to whether it is dated; `named` are the stems of names.
    """

    centrality: Mapping[str, float] = field(repr=False)
    eventful: Mapping[int, bool]
    named: frozenset[str] = field(repr=False)


def tellings(sentences: Sequence[Sentence], stems: Stems, signals: Signals) -> list[Telling]:
    """Every sentence that may stand in a story; where none tells anything ("Hi!"), the first few as they are."""
    telling = [
        Telling(sentence, text, words, score(sentence, text, words, signals))
        for sentence in sentences
        if (text := without_lead_in(sentence.text)) and (words := frozenset(stems.of(text)))
    ]
    spoken = (sentence for sentence in sentences if WORD.search(sentence.text))
    return telling or [Telling(sentence, sentence.text, frozenset(), 0.0) for sentence in islice(spoken, FEWEST)]


def score(sentence: Sentence, text: str, words: frozenset[str], signals: Signals) -> float:
    """Shared words, and what the sentence is: a dated deed of the speaker is best, a greeting or praise worst."""
    length = len(WORD.findall(text)) or 1
    value = math.fsum(signals.centrality.get(word, 0.0) for word in words) / math.sqrt(max(len(words), 4))
    value += 1.6 if signals.eventful.get(sentence.position) else 0.9 if sentence.position in signals.eventful else 0.0
    value += 0.4 if SPEAKER.search(text) else 0.0
    value += 0.2 if any(character.isdigit() for character in text) else 0.0
    value -= 2.0 if sentence.is_question else 0.0
    value -= 1.5 if GREETING.match(sentence.text) or GREETING.match(text) else 0.0
    value -= 0.7 if ADDRESSED.search(text) else 0.0
    value -= 0.5 if DANGLING.match(text) else 0.0
    value -= 0.6 if MUSING.match(text) else 0.0
    value += 0.3 if signals.named & words else 0.0
    value -= 0.8 if is_machine(sentence.author) else 0.0
    value -= 0.15 * max(0, 6 - length) + 0.03 * max(0, length - 30)
    return value


def chosen(candidates: Sequence[Telling], messages: int) -> list[Telling]:
    """The best sentences, each unlike those before it, in the order in which they were said."""
    wanted = min(MOST, max(FEWEST, round(messages / 3)))
    pool = sorted(candidates, key=lambda telling: (-telling.score, telling.sentence.position))[:CANDIDATES]
    picked: list[Telling] = []
    while pool and len(picked) < wanted:
        best = max(pool, key=lambda telling: telling.score - SAMENESS * likeness(telling, picked))
        if len(picked) >= FEWEST and best.score - SAMENESS * likeness(best, picked) < ENOUGH:
            break
        pool.remove(best)
        picked.append(best)
    return sorted(picked, key=lambda telling: telling.sentence.position)


def likeness(telling: Telling, others: Sequence[Telling]) -> float:
    """The greatest share of words (Jaccard) with any of the others, from 0 to 1."""
    shares = (len(telling.stems & other.stems) / (len(telling.stems | other.stems) or 1) for other in others)
    return max(shares, default=0.0)
