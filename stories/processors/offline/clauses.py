"""Sentences cut into clauses, each with whoever is its subject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stories.processors.offline.dates.reckoning import TRIGGER
from stories.processors.offline.names.lexicon import KIN, ROLES
from stories.processors.offline.names.people import People, display
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.verbs import WORD, is_past

NEXT = (
    r"(?:(?:today|yesterday|tomorrow|tonight) (?:was|is|will)|I|we|it|he|she|they|you|my|our|that|this|there|now|what|"
    r"the \w+ (?:was|is|were|are))"
)
# Where one statement ends and another may begin.
BOUNDARY = re.compile(
    rf"[;()\u2014\u2013!]|:(?!\d)|\.{{2,}}| - |- (?=[A-Za-z])|(?<!\bDr)(?<!\bDra)(?<!\bMr)(?<!\bMrs)(?<!\bMs)\. |"
    rf",? (?:and|but|so|because|cause|'cause|cuz|since|when|where|while|though|although|as|until)(?= {NEXT}\b)|"
    rf", (?={NEXT}\b)|, (?:but|so|which|who|where|because|though|although|as|plus|then|and then|making|hoping) |"
    rf" (?:because|which|so that|even though|after which|but) ",
    re.IGNORECASE,
)
RELATION = "|".join(sorted(ROLES | frozenset(KIN), key=len, reverse=True))
CAPITALISED = r"[A-Z][\w-]{1,80}+"  # no longer than a name, or a row of hyphens would be read from each of them on
SUBJECT = re.compile(
    rf"(?<![\w'])(?:(?P<self>I|i|[Ww]e)(?=[ '])|"
    rf"[Mm]y (?P<own>(?:(?:older|younger|little|big|best|old|good|"
    rf"close) )?(?:{RELATION}))(?:,? (?P<called>{CAPITALISED}))?,?"
    rf"(?= (?!and\b))|(?P<name>{CAPITALISED}(?: {CAPITALISED})?)(?= (?!and\b)))"
)
SPEAKER = re.compile(r"\b(?:I|we|my|our)\b", re.IGNORECASE)
# Before a subject these make the clause a condition, a wish, a comparison or a question.
NO_STATEMENT = re.compile(
    r"\b(?:if|wish|hope|hoping|unless|whether|imagine|than|how|what|why|where|who|which|guess|think|thought|maybe|like|"
    r"said|did|do|does|have|has|had|are|is|was|were|can|could|should|would|will|that|everything|something|anything|"
    r"all|way)\b",
    re.IGNORECASE,
)
LONGEST_LEAD = 60  # characters between the beginning of a clause and its subject
LEAD = re.compile(r"(?:(?:and|but|so|also|oh|well|yeah|yep|yes|plus|actually|then|just|finally|recently|even|btw|hey|"
                  r"wow|guess what|by the way|thanks|after that|lately|i)\b[,!. ]*)*", re.IGNORECASE)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of a sentence; `who` did something from `predicate` (an offset in the sentence) on.

    `who` is empty where no subject is named. It may then be the author ("Went to the dentist.") if nobody else came
    before in the sentence: that is `elliptic`.
    """

    sentence: Sentence
    start: int
    end: int
    predicate: int
    who: str = field(repr=False)
    elliptic: bool = False

    @property
    def text(self) -> str:
        return self.sentence.text[self.start : self.end]

    @property
    def says(self) -> str:
        return self.sentence.text[self.predicate : self.end]


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """The stretches between boundaries. A time in front ("Last week, I ...") stays with what it dates."""
    start = 0
    for boundary in BOUNDARY.finditer(text):
        if boundary[0].startswith(",") and is_fronted_time(text[start : boundary.start()]):
            continue
        if boundary.start() > start:
            yield start, boundary.start()
        start = boundary.end()
    if start < len(text):
        yield start, len(text)


def clauses_of(sentence: Sentence, people: People) -> Iterator[Clause]:
    """The clauses of a sentence whose subject is known, or left out as one does in a chat."""
    elliptic = True
    for start, end in stretches(sentence.text):
        subject = next(
            (found for found in SUBJECT.finditer(sentence.text, start, end) if subject_name(found, sentence, people)),
            None,
        )
        if subject is None or subject.start() - start > LONGEST_LEAD:
            lead = LEAD.match(sentence.text, start, end)
            yield Clause(sentence, start, end, lead.end() if lead else start, "", elliptic)
            elliptic = elliptic and lead is not None and lead.end() == end
        elif leads_up(sentence.text[start : subject.start()]):
            yield Clause(sentence, start, end, subject.end(), subject_name(subject, sentence, people))
            elliptic = bool(subject["self"])
        else:
            elliptic = False


def is_fronted_time(words: str) -> bool:
    return (
        len(words) <= LONGEST_LEAD
        and bool(TRIGGER.search(words))
        and not SPEAKER.search(words)
        and not any(is_past(word) for word in WORD.findall(words.lower()))
    )


def leads_up(words: str) -> bool:
    """Whether the words before a subject leave it one: nothing, an opening, a time; not "The cake I baked"."""
    words = words.strip(" *\"'(")
    return (
        not words
        or words.endswith((",", " and"))
        or LEAD.fullmatch(words + " ") is not None
        or (bool(TRIGGER.search(words)) and len(words.split()) <= 6)
    ) and not NO_STATEMENT.search(words)


def subject_name(found: re.Match[str], sentence: Sentence, people: People) -> str:
    """Who the subject is: the author, the author's sister, or somebody known by name; empty if nobody known."""
    if found["self"]:
        return display(sentence.author)
    if found["own"]:
        relation = KIN.get(found["own"].split()[-1].lower(), found["own"].lower())
        return found["called"] or f"{display(sentence.author)}'s {relation}"
    known = people.full_name(found["name"]) or people.full_name(found["name"].split()[0])
    return known or ""
