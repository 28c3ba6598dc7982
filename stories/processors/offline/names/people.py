"""People: who spoke, who is named, and whose mother was spoken of.

A name is weighed by what stands around it, over the whole transcript. Evidence adds up to at least THRESHOLD, or the
name is left out: a missing person is a smaller fault than a company with a birthday.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stories.processors.base import Transcript
from stories.processors.offline.names.candidates import TOKEN, Mention
from stories.processors.offline.names.given_names import AMBIGUOUS_NAMES, GIVEN_NAMES
from stories.processors.offline.names.lexicon import (
    HUMAN_ROLES,
    KIN,
    NOT_PEOPLE,
    NOT_PERSON_ENDS,
    PETS,
    ROLE_AUTHORS,
    ROLES,
    TITLES,
)
from stories.processors.offline.sentences import Sentence

THRESHOLD = 2.0
STRONG = 1.5  # a name that is not on the list of given names needs one mention that tells as much
MOST_PEOPLE = 64
LONGEST_NAME = 80  # characters


def either(words: Iterable[str]) -> str:
    return "|".join(sorted((re.escape(word) for word in words), key=len, reverse=True))


OWNER = r"\b(?:my|our|his|her|their|your|an?|the|\w+'s)"
INTRODUCED = re.compile(r"\b(?:name is|name's|named) $", re.IGNORECASE)
TOLD_BEFORE: tuple[tuple[re.Pattern[str], float], ...] = (
    (
        re.compile(
            rf"\b(?:{either(PETS)})[,:]? (?:- )?(?:is |are |was )?(?:named |called )?(?:\w+(?:,|,? and) ){{0,2}}$",
            re.IGNORECASE,
        ),
        -6,
    ),
    (re.compile(rf"{OWNER} (?:\S+ ){{0,2}}(?:{either(ROLES)}),? (?:is |was )?(?:named |called )?$", re.IGNORECASE), 3),
    (INTRODUCED, 2.5),
    (re.compile(r"\b(?:hi|hey|hello|thanks|thank you|dear|congrats|bye|sorry)[,!]? $", re.IGNORECASE), 1.5),
    (re.compile(r"\b(?:met|told|asked|texted|hugged|married|dating|invited|miss|with|thank) $", re.IGNORECASE), 1),
    (re.compile(r"\b(?:and|for|by|helped|saw|called|visited|from|to|gave|about) $", re.IGNORECASE), 0.5),
    (
        re.compile(
            r"\b(?:in|at|into|near|around|across|through|live in|moved to|trip to|flew to|fly to|visit) $",
            re.IGNORECASE,
        ),
        -2,
    ),
    (re.compile(r"\b(?:on|via|using|play|playing|watch|watched|watching|read|reading|of) $", re.IGNORECASE), -1),
    (re.compile(r"\b(?:the|an?|this|that|these|some|every|each) $", re.IGNORECASE), -3),
)
TOLD_AFTER: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(rf",? (?:is |was )?(?:my|our|his|her|their) (?:\S+ ){{0,2}}(?:{either(PETS)})\b", re.IGNORECASE), -6),
    (re.compile(rf",? (?:is |was )?(?:my|our|his|her|their) (?:\S+ ){{0,2}}(?:{either(ROLES)})\b", re.IGNORECASE), 3),
    (re.compile(r" (?:said|says|told|asked|called|texted|thinks|taught|loves|likes|wants|married|invited|helped|hugged|"
                r"laughed|smiled|lives|joined us|and I|and me|who|came)\b"), 1.5),
    (re.compile(r" (?:is|was|has|had|got|went|gave|made|moved|works|will|did)\b"), 0.5),
    (re.compile(rf"'s (?:birthday|wedding|house|{either(KIN)})\b", re.IGNORECASE), 1.5),
    (re.compile(r"[,!]"), 0.25),
)  # fmt: skip
KINSHIP = re.compile(rf"\b[Mm]y (?:\w+ )?(?P<kin>{either(KIN)})\b(?! [A-Z])(?!'s (?:friend|{either(KIN)}))")


def display(author: str) -> str:
    """How an author is named in a story: people by their name, roles such as "user" as "The user"."""
    if author.lower() in ROLE_AUTHORS:
        return f"The {author.lower()}"
    return author[:LONGEST_NAME] or "Someone"


def is_machine(author: str) -> bool:
    """Whether an author is the companion rather than a person: what it says is no event of anybody's life."""
    return author.strip().lower() in ROLE_AUTHORS - HUMAN_ROLES


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of the participants' names and what they begin with, to look names up in."""

    words: frozenset[str] = field(repr=False)
    beginnings: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, participants: Iterable[str]) -> Spoken:
        words = frozenset(word.lower() for name in participants for word in name.split())
        return cls(words, frozenset(word[:length] for word in words for length in range(1, len(word) + 1)))

    def means(self, name: str) -> bool:
        """Whether a name is a participant's own, a part of it, or short for it (Tim for Timothy)."""
        lower = name.lower()
        return (
            all(word in self.words for word in lower.split())
            or lower in self.beginnings
            or (lower[:3] in self.beginnings and lower.endswith(("y", "ie")) and len(lower) < 7)
        )


class People:
    """The people of one transcript, found once and asked often."""

    def __init__(self, transcript: Transcript, sentences: Sequence[Sentence], found: Sequence[Mention]) -> None:
        self.participants = tuple(
            name[:LONGEST_NAME] for name in transcript.participants if name.lower() not in ROLE_AUTHORS
        )
        self.named = self._named(found, lower_case_words(sentences))
        self._full_names: dict[str, str] = {}
        for known in (*self.participants, *self.named):
            self._full_names.setdefault(known, known)
            self._full_names.setdefault(known.split()[0], known)
        self.kin = self._kin(sentences, found)
        self.all = tuple(dict.fromkeys((*self.participants, *self.named, *self.kin)))[:MOST_PEOPLE]
        self.words = frozenset(word.lower() for name in (*self.participants, *self.named) for word in name.split())

    def full_name(self, name: str) -> str | None:
        """The person whom a name means, by whole name, first name or short form; None if nobody of the transcript."""
        return self._full_names.get(name)

    def _named(self, found: Sequence[Mention], ordinary: frozenset[str]) -> tuple[str, ...]:
        weights: dict[str, float] = defaultdict(float)
        strongest: dict[str, float] = defaultdict(float)
        for mention in found:
            name = mention.text
            if len(name) <= LONGEST_NAME and may_be_person(name) and not mention.quoted:
                weight = evidence(mention)
                weights[name] += weight
                strongest[name] = max(strongest[name], weight)
        spoken = Spoken.of(self.participants)
        chosen = []
        for name, weight in weights.items():
            first = name.split()[0]
            if first not in GIVEN_NAMES and (name.lower() in ordinary or strongest[name] < STRONG):
                continue
            prior = 0.0 if first not in GIVEN_NAMES else 0.75 if first in AMBIGUOUS_NAMES else 2.0
            if weight + prior >= THRESHOLD and not spoken.means(name):
                chosen.append(name)
        return tuple(without_short_forms(chosen))

    def _kin(self, sentences: Sequence[Sentence], found: Sequence[Mention]) -> tuple[str, ...]:
        """ "Ada's sister" for "my sister", unless the sister has a name somewhere."""
        named = frozenset(self.named)
        have_names = {
            (mention.sentence.author, KIN[word])
            for mention in found
            if mention.text in named
            for word in TOKEN.findall((mention.before + mention.after[:24]).lower())
            if word in KIN
        }
        kin: dict[str, None] = {}
        for sentence in sentences:
            for match in KINSHIP.finditer(sentence.text):
                relation = KIN[match["kin"].lower()]
                if sentence.author and (sentence.author, relation) not in have_names:
                    kin[f"{display(sentence.author)}'s {relation}"] = None
        return tuple(kin)


def lower_case_words(sentences: Sequence[Sentence]) -> frozenset[str]:
    """The words that occur without a capital: they are ordinary words, whatever they look like elsewhere."""
    return frozenset(word for sentence in sentences for word in TOKEN.findall(sentence.text) if word.islower())


def may_be_person(name: str) -> bool:
    words = name.split()
    return (
        1 <= len(words) <= 4
        and not any(word.lower().removesuffix("'s") in NOT_PEOPLE for word in words[(words[0] in TITLES) :])
        and words[-1].lower() not in NOT_PERSON_ENDS
        and not any(len(word) > 1 and word.isupper() for word in words)
        and len(words[-1]) > 1
        and words[-1] not in TITLES
    )


def evidence(mention: Mention) -> float:
    """How much one mention speaks for a person, or (below zero) against."""
    weight = -1.0 if mention.initial else 0.0
    weight += next((worth for pattern, worth in TOLD_BEFORE if pattern.search(mention.before)), 0.0)
    weight += next((worth for pattern, worth in TOLD_AFTER if pattern.match(mention.after)), 0.0)
    if mention.initial and mention.text.endswith(("ly", "ing")) and mention.text not in GIVEN_NAMES:
        weight -= 3.0  # "Sadly, my sister ..."
    if mention.text.split()[0] in TITLES:
        weight += 2.5
    if mention.initial and re.match(r"[,!]", mention.after):
        weight += 1.0  # spoken to
    return weight


def without_short_forms(names: Sequence[str]) -> list[str]:
    """Each person once: "Ada" goes where there is "Ada Byron"."""
    parts = {word for name in names if " " in name for word in name.split()}
    return [name for name in names if " " in name or name not in parts]
