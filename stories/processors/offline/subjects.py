"""What a conversation is about: short noun phrases, weighed by how often their words come back."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stories.processors.offline.clauses import SPEAKER
from stories.processors.offline.dates.reckoning import MONTHS, WEEKDAYS
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.verbs import DOINGS, STATES, WEAK, is_past
from stories.processors.offline.words import STOP_WORDS, WORD, Stems, listed

LONGEST_PHRASE = 4  # words

# A phrase begins after one of these: what follows an article is a noun phrase more often than not.
DETERMINER = re.compile(r"\b(?P<word>an?|the|my|our|his|her|their|your|this|new|for|about|into|with)\s+", re.IGNORECASE)
PREPOSITIONS = frozenset(("for", "about", "into", "with"))
# Words in -ing that are things.
THINGS_DONE = listed(
    """camping painting training meeting wedding building cooking shopping hiking swimming gaming dancing writing
    gardening fishing running cycling climbing skiing surfing sailing coaching counseling counselling recording baking
    knitting pottery ring king spring string clothing ceiling parking housing banking marketing engineering volunteering
    streaming voting hearing reading drawing opening fundraising branding advertising lighting wing"""
)
BREAK = re.compile(r"[^\w'\s-]")
# Words that praise or measure, and words that stand for anything.
EMPTY = listed(
    """amazing awesome great good nice cool wonderful beautiful lovely perfect fantastic incredible special fun funny
    cute sweet huge tough hard easy important interesting inspiring powerful positive negative big small old own real
    true happy sad proud excited exciting nervous favorite favourite different various certain main whole recent young
    fresh hot cold high low full free close others bunch couple lots ton tons kind sort type end start middle rest top
    side part point case fact idea ideas thing things stuff way ways time times moment moments day days night morning
    afternoon evening week weekend month year years people person everyone someone friend friends world life lives
    future past present picture photo pic pics pictures photos image look chance opportunity bit number amount reason
    reasons support help advice feeling feelings love joy hope passion peace dream dreams goal goals place places
    difference impact experience experiences journey memories memory happiness courage strength inspiration effort
    hard work next last first second only same other another few many more most less process result results change
    changes question answer word words story kudos thanks congrats thought thoughts reminder break blast luck details
    touch step steps plan plans progress success challenge challenges mind heart everything something anything nothing
    positivity boost gift news spirit energy vibe vibes safe loving supportive strong wild fellow fan fans meaningful
    local lucky essential ultimate perspective mindset focus attitude approach self attention connection connections
    value values lesson lessons bond bonds happy-place interest interests passion passions sense sight source reminder
    motivation confidence determination opportunity community"""
)
COMMON_VERBS = listed(
    """make makes love loves need needs help helps see look looks feel feels think want wants know like likes remind
    reminds bring brings give gives get gets take takes keep keeps cause shows deserves motivates pays boosts starts
    hides works finds becomes wander comes goes runs lets happens leads meant mean means say says turn turns"""
)
TRAILING = listed("behind near inwards outwards afterwards above below inside outside beside clean open along apart")
VERBISH = DOINGS | STATES | WEAK | COMMON_VERBS
TIMES = frozenset(MONTHS + WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Subject:
    """A phrase, who spoke of it most, and how much of the conversation it carries."""

    phrase: str = field(repr=False)
    author: str = field(repr=False)
    weight: float
    stems: frozenset[str] = field(repr=False)


def subjects_of(
    sentences: Sequence[Sentence], centrality: Mapping[str, float], stems: Stems, names: frozenset[str]
) -> list[Subject]:
    """The phrases of a transcript, the weightiest first; names of people are left out."""
    spellings: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    claims: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        speaks = 1 if not sentence.is_question and SPEAKER.search(sentence.text) else 0
        for owner, words in phrases(sentence.text, names):
            key = tuple(stems.stem(word.lower()) for word in words)
            spellings[key][" ".join(words)] += 1
            claims[key][sentence.author] += 3 if owner in ("my", "our") else 0 if owner == "your" else speaks
    subjects = []
    for key, spelled in spellings.items():
        count = sum(spelled.values())
        carried = sum(centrality.get(stem, 0.0) for stem in key)
        weight = carried * (1 + 0.5 * min(count - 1, 4)) / (1.0 if len(key) > 1 else 1.8)
        subjects.append(Subject(first_of(spelled), owner_of(claims[key]), weight, frozenset(key)))
    return sorted(subjects, key=lambda subject: (-subject.weight, subject.phrase))


def first_of(counts: Counter[str]) -> str:
    """The most frequent; of equals the first in the alphabet, so that the same text gives the same title."""
    return min(counts, key=lambda word: (-counts[word], word))


def owner_of(claims: Counter[str]) -> str:
    """Whose subject it is: who claims it at least twice as much as anybody else; empty if that is nobody."""
    ranked = [*claims.most_common(2), ("", 0)]
    return ranked[0][0] if ranked[0][1] >= 2 * ranked[1][1] and ranked[0][1] else ""


def phrases(text: str, names: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    """Phrases and the word before each, in lower case."""
    for determiner in DETERMINER.finditer(text):
        words: list[str] = []
        stretch = BREAK.split(text[determiner.end() : determiner.end() + 60], maxsplit=1)[0]
        for word in WORD.findall(stretch):
            if not words and word.lower() in EMPTY:
                continue
            verbal = word.endswith("ly") or (word.endswith("ing") and word not in THINGS_DONE)
            verbal = verbal or (bool(words) and word.endswith("ed"))
            if verbal and (words or determiner["word"].lower() in PREPOSITIONS):
                break
            if not continues(word, names) or (words and is_past(word)) or len(words) == LONGEST_PHRASE:
                break
            words.append(word)
        while words and (
            words[-1].lower() in EMPTY | TRAILING or (words[-1].lower().endswith(("ly", "ing")) and len(words) > 1)
        ):
            words.pop()
        if words and is_noun_like(words):
            yield determiner["word"].lower(), words


def continues(word: str, names: frozenset[str]) -> bool:
    lower = word.lower().removesuffix("'s")
    return not (
        lower in STOP_WORDS or lower in VERBISH or lower in names or (lower[:3] in TIMES and lower.endswith("day"))
        or lower.isdigit() or "'" in word
    )  # fmt: skip


def is_noun_like(words: list[str]) -> bool:
    last = words[-1].lower()
    return len(last) > 2 and not last.endswith(("ful", "ous", "ible", "able", "ive", "ish", "est", "ly"))
