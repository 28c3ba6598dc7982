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
from stories.processors.offline.names.gazetteer import LARGE_CITY, find, folded
from stories.processors.offline.names.given_names import AMBIGUOUS_NAMES, GIVEN_NAMES, names_of_the_world
from stories.processors.offline.names.lexicon import (
    DEEDS_OF_PEOPLE,
    HUMAN_ROLES,
    KIN,
    NAMED_LIKE_PEOPLE,
    NOT_PEOPLE,
    NOT_PERSON_ENDS,
    PETS,
    ROLE_AUTHORS,
    ROLES,
    STATES_OF_PEOPLE,
    THINGS,
    THINGS_OF_PEOPLE,
    TITLES,
    TITLES_AFTER,
)
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.verbs import is_past
from vibe.core.folding import fold

THRESHOLD = 2.0
STRONG = 1.25  # a name that is not on the list of given names needs one mention that tells as much
AT_A_PLACE = -2.0
KNOWN = 3.0  # as a person's in other stories of the memory
DID = 1.5  # did something
BEING = frozenset(
    ("was", "were", "been", "had", "came", "ended", "began", "started", "arrived", "turned", "gone", "made")
)
WORLDLY = 1.5  # a given name of any language, by itself
MENTIONED = 0.5  # each time that such a name comes up
TOGETHER = 1.0  # a name beside that of a person
MOST_PEOPLE = 64
LONGEST_NAME = 80  # characters


def either(words: Iterable[str]) -> str:
    return "|".join(sorted((re.escape(word) for word in words), key=len, reverse=True))


OWNER = r"\b(?:my|our|his|her|their|your|an?|the|\w+'s)"
THEIRS = r"(?:my|our|his|her|their)"
ADVERB = r"(?:(?:\w+ly|never|always|just|already|also|still|even|once|finally|then|both|all) )?"
INTRODUCED = re.compile(r"\b(?:name is|name's|named) $", re.IGNORECASE)
TOLD_BEFORE: tuple[tuple[re.Pattern[str], float], ...] = (
    (
        re.compile(
            rf"\b(?:{either(PETS | THINGS)})[,:]?(?: (?!(?:and|with|but|when|while|as|so|then)\b)[a-z]{{2,12}}"
            r"|,? next door)?"
            r",? (?:- )?(?:is |are |was |its |it's |her |his )?"
            r"(?:name is |name's |named |called )?(?:\w+(?:,|,? and) ){0,2}$",
            re.IGNORECASE,
        ),
        -6,
    ),
    (re.compile(rf"{OWNER} (?:\S+ ){{0,2}}(?:{either(ROLES)}),? (?:is |was )?(?:named |called )?$", re.IGNORECASE), 3),
    (re.compile(rf"\b(?:{either(title for title in TITLES if len(title) < 5)})\. $"), 3),
    (re.compile(rf"\b(?:{either(ROLES)}) $"), 2),
    (INTRODUCED, 2.5),
    (re.compile(r"\bwho(?: is|'s| was) $|\b(?:ran|run|bump(?:ed)?) into $", re.IGNORECASE), 2),
    (re.compile(r"\b(?:hi|hey|hello|thanks|thank you|dear|congrats|bye|sorry|thanks to)[,!]? $", re.IGNORECASE), 1.5),
    (
        re.compile(
            r"\b(?:in|at|into|near|around|across|through|outside|toward|towards|(?:move[ds]?|moving|trip|flight|flew|fly|"
            r"driven|flying|drove|drive|driving|went|go|going|back|travell?ed|sailed|train|bus|ferry) "
            r"(?:back |down |up |over |out )?(?:to|from)|visit) $",
            re.IGNORECASE,
        ),
        AT_A_PLACE,
    ),
    (
        re.compile(
            r"\b(?:met|told|tell|asked|ask|texted|phoned|rang|hugged|kissed|married|dating|invited|miss|missed|with|thank|"
            r"thanked|owe|forgave|tickled|blamed|bless|(?:talk(?:ed|ing)?|spoke|speak|married|engaged|wrote|listen(?:ed)?|"
            r"hi|said|promised|close|next) to) $",
            re.IGNORECASE,
        ),
        1.25,
    ),
    (re.compile(r"\bhow(?: is|'s| was) $", re.IGNORECASE), 1),
    (re.compile(r"\b(?:did|does|has|will|would|could|can|should|made|let) $", re.IGNORECASE), 1),
    (re.compile(r"\b(?:and|for|by|helped|saw|called|visited|from|to|gave|about|is) $", re.IGNORECASE), 0.5),
    (
        re.compile(
            r"\b(?:on|via|using|play|playing|watch|watched|watching|read|reading|rereading|finished|halfway through) $",
            re.IGNORECASE,
        ),
        -1.5,
    ),
    (re.compile(r"\b(?:my|our|your) $", re.IGNORECASE), -1.5),
    (re.compile(r"\b(?:the|an?|this|these|some|every|each) $", re.IGNORECASE), -3),
)
TOLD_AFTER: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(rf",? (?:is |was )?{THEIRS} (?:\S+ ){{0,2}}(?:{either(PETS | THINGS)})\b", re.IGNORECASE), -6),
    (re.compile(rf",? (?:the|an?) (?:\S+ )?(?:{either(PETS | THINGS)})\b", re.IGNORECASE), -6),
    (re.compile(rf",? (?:is |was )?{THEIRS} (?:\S+ ){{0,2}}(?:{either(ROLES)})\b", re.IGNORECASE), 3),
    (re.compile(rf" {ADVERB}(?:{either(DEEDS_OF_PEOPLE)}|joined us|came (?:over|by|along))\b|,? who(?:se)?\b"), 1.5),
    (re.compile(r" and (?:I|me|his|her)\b"), 2.5),
    (re.compile(r" [a-z]{2,14} (?:me|us|him|her|his|my|our)\b"), 1),
    (re.compile(rf"(?: is| was| are|'s) {ADVERB}(?:getting )?(?:{either(STATES_OF_PEOPLE)}|my|our|his|her)\b"), 1),
    (re.compile(rf"'s (?:\w+ )?(?:{either(THINGS_OF_PEOPLE | frozenset(KIN))})\b", re.IGNORECASE), 2.5),
    (re.compile(r" (?:is|was|has|had|got|went|gave|gives|made|moved|works|will|did|does|came|left|found)\b"), 0.5),
    (re.compile(r"[,!]"), 0.25),
)  # fmt: skip
DONE = re.compile(rf" (?:and [A-Z]\w+ )?{ADVERB}(?P<verb>[a-z]{{2,14}})\b(?! by\b)")
"""A word behind a name: a past form is more often a person's deed than not."""
PRONOUN = re.compile(r"[^.!?]{0,36}\b(?:he|she|his|her|him)\b")
"""What is said of a name, goes on about a person."""
BESIDE = re.compile(r"([^\W\d_][\w'-]{1,30})(?:,| and|, and| &) $")
"""The name before, where two are told of together: if one is a person's, so is the other."""
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
        self.named = self._named(transcript, found, lower_case_words(sentences))
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

    def _named(self, transcript: Transcript, found: Sequence[Mention], ordinary: frozenset[str]) -> tuple[str, ...]:
        weights: dict[str, float] = defaultdict(float)
        strongest: dict[str, float] = defaultdict(float)
        beside: dict[str, set[str]] = defaultdict(set)
        for mention in found:
            name = mention.text
            if len(name) <= LONGEST_NAME and may_be_person(name) and not mention.quoted:
                weight = evidence(mention)
                weights[name] += weight
                strongest[name] = max(strongest[name], weight)
                if other := BESIDE.search(mention.before):
                    beside[name].add(other[1])
                    beside[other[1]].add(name)
        known_already = transcript.known_people - transcript.known_places
        spoken = Spoken.of(self.participants)
        for name in weights:
            weights[name] += prior(name) + (KNOWN if name in known_already else 0.0)
        likely = {
            name: weight
            for name, weight in weights.items()
            if not spoken.means(name)
            and (
                is_listed(name) or name in known_already or (name.lower() not in ordinary and strongest[name] >= STRONG)
            )
        }
        chosen = {name for name, weight in likely.items() if weight >= THRESHOLD}
        known = chosen.union(self.participants)
        chosen |= {
            name
            for name, weight in weights.items()
            if weight + TOGETHER >= THRESHOLD
            and beside[name] & known
            and not spoken.means(name)
            and (is_listed(name) or name.lower() not in ordinary)
        }
        return tuple(without_short_forms([name for name in weights if name in chosen]))

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
        and name not in NAMED_LIKE_PEOPLE
        and not any(
            word.lower().removesuffix("'s") in NOT_PEOPLE and word not in AMBIGUOUS_NAMES
            for word in words[(words[0] in TITLES) :]
        )
        and words[-1].lower() not in NOT_PERSON_ENDS
        and not any(len(word) > 1 and word.isupper() for word in words)
        and len(words[-1]) > 1
        and words[-1] not in TITLES
    )


def first_of(name: str) -> str:
    """The first name: of one with hyphens that no list has (Jan-Willem, Tanaka-san) what stands before it."""
    first = name.split(maxsplit=1)[0]
    if is_given_name(first):
        return first
    head, _, tail = first.partition("-")
    plain = fold(head).capitalize()
    return plain if is_given_name(plain) and (first[1:] == first[1:].lower() or is_given_name(tail)) else first


def is_given_name(word: str) -> bool:
    return word in GIVEN_NAMES or word in names_of_the_world()


def is_titled(name: str) -> bool:
    return name.split(maxsplit=1)[0] in TITLES or re.split("[- ]", name)[-1].lower() in TITLES_AFTER


def is_listed(name: str) -> bool:
    first = first_of(name)
    return is_given_name(first) or first in AMBIGUOUS_NAMES


def prior(name: str) -> float:
    """What a name itself says, whatever stands around it."""
    first = first_of(name)
    if first in AMBIGUOUS_NAMES:
        return 0.75
    if first in GIVEN_NAMES:
        return 2.0
    if is_titled(name):
        return 0.0
    place = find(folded(name))
    if place and place.size >= LARGE_CITY:
        return -2.0
    return 0.0 if first not in names_of_the_world() else WORLDLY / 2 if place else WORLDLY


def evidence(mention: Mention) -> float:
    """How much one mention speaks for a person, or (below zero) against."""
    first = first_of(mention.text)
    sure, listed = first in GIVEN_NAMES and first not in AMBIGUOUS_NAMES, is_listed(mention.text)
    titled = is_titled(mention.text)
    weight = 0.0 if titled or sure or not mention.initial else -0.25 if listed else -1.0
    weight += MENTIONED if listed and not mention.initial and first not in AMBIGUOUS_NAMES else 0.0
    before = next((worth for pattern, worth in TOLD_BEFORE if pattern.search(mention.before)), 0.0)
    if before == AT_A_PLACE and (titled or mention.after.startswith("'s")):
        before = 0.5  # at Ada's
    if before == AT_A_PLACE and first in AMBIGUOUS_NAMES:
        return 0.0  # the town
    after = next((worth for pattern, worth in TOLD_AFTER if pattern.match(mention.after)), 0.0)
    deed = DONE.match(mention.after)
    if deed and is_past(deed["verb"]) and deed["verb"] not in BEING:
        after = max(after, DID) if after >= 0 else after
    weight += before + after + (0.75 if (before > 0.5 or 1 <= after < 3) and PRONOUN.match(mention.after) else 0.0)
    if mention.initial and mention.text.endswith(("ly", "ing")) and mention.text not in GIVEN_NAMES:
        weight -= 3.0  # "Sadly, my sister ..."
    if titled:
        weight += 2.5
    if mention.initial and (sure or not listed) and re.match(r"[,!]", mention.after):
        weight += 1.0  # spoken to
    return weight


def without_short_forms(names: Sequence[str]) -> list[str]:
    """Each person once: "Ada" goes where there is "Ada Byron"."""
    parts = {word for name in names if " " in name for word in name.split()}
    return [name for name in names if " " in name or name not in parts]
