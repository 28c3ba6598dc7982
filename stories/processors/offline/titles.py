"""Short titles that tell one conversation from another: what was done in it, in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import fsum, sqrt

from stories.processors.base import Event, Transcript
from stories.processors.offline.clauses import SPEAKER
from stories.processors.offline.dates.spans import day
from stories.processors.offline.events import is_telling
from stories.processors.offline.names.lexicon import ROLE_AUTHORS
from stories.processors.offline.names.people import display
from stories.processors.offline.sentences import LINK, Sentence
from stories.processors.offline.subjects import Subject
from stories.processors.offline.summary import ADDRESSED, DANGLING, GREETING, MUSING
from stories.processors.offline.verbs import is_past
from stories.processors.offline.voice import without_lead_in
from stories.processors.offline.words import WORD, Stems, shortened

LONGEST_TITLE = 90  # characters
LONGEST_TOLD = 70  # characters of an event or a sentence in a title
TELLING_SUBJECTS = 12
DATED, NAMED, VAGUELY = 0.3, 0.3, 1.0  # beside the weights of shared words, which are 1 at most
CUT = re.compile(r",| (?:and|but|so|because|who|which|that|after|when|while|since|until) ")
VAGUE = re.compile(
    r"\b(?:there|one|ones|it|them|that|this|event|incident|things?|stuff|time|place|together)$"
    r"|^\w+ (?:it|him|her|them|that)\b"
)
NAME = re.compile(r"(?<=.) [A-Z][^\W\d_]+")

# What software calls a conversation before anybody names it.
MEANINGLESS = re.compile(
    r"(?:(?:new|untitled|my|first|the|a|default|imported)\s+)*(?:session|conversation|chat|thread|dialog(?:ue)?|"
    r"talk|untitled|"
    r"messages?|story|memory|call|note|day|part)?(?:\s+with\s+.*)?[\s\d#:.,/_T-]*(?:am|pm|utc|z)?",
    re.IGNORECASE,
)


def title_of(
    transcript: Transcript,
    subjects: Sequence[Subject],
    events: Sequence[Event],
    said: Sequence[Sentence],
    stems: Stems,
) -> str:
    """The given title if it means something; else what was done, a sentence, a subject, or the date.

    A given title of a word or two has the weightiest subject with it.
    """
    given = " ".join(LINK.sub(" ", transcript.title).split())
    if len(given) > 2 and not MEANINGLESS.fullmatch(given[:200]):
        taken = frozenset(stems.of(given))
        other = next((subject for subject in subjects if not subject.stems & taken), None)
        named = f"{given}: {other.phrase}" if other and len(given.split()) < 3 else given
        return shortened(named, LONGEST_TITLE)
    weights = weights_of(subjects)
    told = {
        f"{event.who} {what}" if starts_with_verb(what) else what[:1].upper() + what[1:]: weight(what, weights, stems)
        + (DATED if event.when else 0.0)
        for event in events
        if WORD.search(what := in_few_words(event.what)) and is_telling(what)
    }
    if told:
        return shortened(max(told, key=lambda title: told[title]), LONGEST_TITLE)
    lines = {
        line: weight(line, weights, stems) + manner(line)
        for sentence in said
        if len((line := in_few_words(without_lead_in(sentence.text))).split()) > 3 and len(line) <= LONGEST_TOLD
    }
    if any(lines.values()):
        line = max(lines, key=lambda title: lines[title])
        return line.rstrip(" .,;:!-")
    if subjects:
        return shortened(owned(subjects[0].author, subjects[0].phrase), LONGEST_TITLE)
    first = next((text for sentence in said if (text := without_lead_in(sentence.text))), "")
    return shortened(first, LONGEST_TITLE) or f"Conversation of {day(transcript.began_at.date())}"


def weights_of(subjects: Sequence[Subject]) -> dict[str, float]:
    """How much of the conversation each word of its weightiest subjects carries, 1 at most."""
    weights: dict[str, float] = {}
    for subject in subjects[:TELLING_SUBJECTS]:
        for stem in subject.stems:
            weights[stem] = max(weights.get(stem, 0.0), subject.weight / (subjects[0].weight or 1.0))
    return weights


def weight(text: str, weights: Mapping[str, float], stems: Stems) -> float:
    """Shared words, fewer of a long text; a name in it tells more."""
    words = {*stems.of(text)}
    value = fsum(weights.get(stem, 0.0) for stem in words) / sqrt(max(len(words), 3))  # in whatever order
    return value + (NAMED if NAME.search(text) else 0.0) - (VAGUELY if VAGUE.search(text) else 0.0)


def manner(line: str) -> float:
    """What a sentence is worth as a title for how it is put: of the speaker at best, praise or to somebody worst."""
    poor = sum(bool(sign.search(line)) for sign in (GREETING, ADDRESSED, DANGLING, MUSING))
    return (0.3 if SPEAKER.search(line) else 0.0) - 0.5 * poor


def starts_with_verb(what: str) -> bool:
    """Whether somebody did it: "moved to Oslo", "is moving"; not "race in Oslo"."""
    first = WORD.findall(what)[0].lower()
    return is_past(first) or first == "will" or (first.endswith("s") and not first.endswith("ss"))


def in_few_words(text: str) -> str:
    """The text, or what stands before the last comma, "and" and the like that leaves it short enough."""
    if len(text) <= LONGEST_TOLD:
        return text
    cuts = [found.start() for found in CUT.finditer(text) if 15 < found.start() <= LONGEST_TOLD]
    return text[: cuts[-1]] if cuts else text


def owned(author: str, phrase: str) -> str:
    if not author or author.lower() in ROLE_AUTHORS or phrase[:1].isupper():
        return phrase[:1].upper() + phrase[1:]
    return f"{display(author)}'s {phrase}"
