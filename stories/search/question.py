"""What is done to a question before anything is searched.

People speak of themselves as "I", and are asked about by name. Sentence embeddings take that for a different matter,
so the one person whom a question names becomes "I": by far the largest single gain for vectors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

from stories.processors.offline.dates.resolving import find_dates
from stories.text.languages import ENGLISH, language_of, tongue_of
from stories.text.words import STOP_WORDS, asked_words
from vibe.core.folding import APOSTROPHES, fold, normalized

MAX_QUESTION = 1_000
"""Characters of a question that are looked at."""
MAX_WORDS = 64
"""Different words of a question that are searched for: the first ones."""

_FIRST_PERSON = re.compile(r"\b(?:I|me|my|mine|myself)\b(?!\.)", re.IGNORECASE)
_WHEN = re.compile(
    r"(?:^|[.,;:!?] ?|\b(?:since|until|till|by|from|and|or) )when\b"
    r"|\b(?:what|which) (?:date|day|week|month|season|year)(?![\w-])"
    r"|\bhow long ago\b",
    re.IGNORECASE,
)

_SAYING = "said?|says?|tell|told|suggest|recommend|advised?|mention|explain|answer|proposed?|promised?|list|described?"
_ASSISTANT_SAID = re.compile(
    rf"\b(?:did|have|had|has) (?:you|the (?:assistant|bot|chatbot|ai)) (?:[a-z]+ )?(?:{_SAYING})(?:ed)?\b"
    rf"|\bwhat (?:you|the (?:assistant|bot|chatbot|ai)) (?:have |had )?(?:{_SAYING})(?:ed)?\b"
    r"|\b(?:was|were|is|are) (?:your|the assistant's) (?:[a-z]+ )?"
    r"(?:advice|answers?|explanations?|proposals?|recommendations?|suggestions?|tips?)\b",
    re.IGNORECASE,
)
_PLURAL = (
    r"(?!\w*(?:ss|us|is)\b)(?!(?:does|was|has|his|this|its|always|news|plans?)\b)"
    r"[a-z]{2,}(?:s|people|children|men|women)\b"
)
_BEFORE_PLURAL = "are|were|other|all|else|of|kinds?|types?|sorts?|the|some|new|different"
_SEVERAL = re.compile(
    rf"\b(?:what|which)(?: (?:{_BEFORE_PLURAL}))*(?: [a-z-]+){{0,2}}? {_PLURAL}|\bhow many\b"
    r"|\b(?:what|which) (?:kinds?|types?|sorts?) of\b|\bwhat (?:all|else)\b|\b(?:list|name) (?:all|the|some)\b",
    re.IGNORECASE,
)
_JOINING = frozenset({"and", "&", "or", "nor"})
_BOTH = re.compile(r"\bboth\b", re.IGNORECASE)
_NEXT_WORD = re.compile(r"\s+([^\W\d_]+)")

TimeSpan = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Question:
    """A question as search asks it. `speaker` is the one participant it is about, if it is about one."""

    spoken: str = field(repr=False)
    """To embed: the question as the person asked about might put it."""
    words: Mapping[str, int] = field(repr=False)
    """To count: each word and how often it is asked."""
    speaker: str | None = field(default=None, repr=False)
    when: bool = False
    """It asks for a time. Known of English questions only."""
    of_assistant: bool = False
    """It asks what an assistant said. Known of English questions only."""
    several: bool = False
    """It asks for several things ("which books"). Known of English questions only."""
    times: tuple[TimeSpan, ...] = ()
    """The times that it names, each from its first moment up to its end. Known of English questions only."""
    tongue: str = ENGLISH
    """What it can have words in common with: see stories.text.languages."""


def is_first_person(text: str) -> bool:
    """Whether a question speaks of "I": only then it matters who asks."""
    return bool(_FIRST_PERSON.search(text[:MAX_QUESTION]))


def understand(
    text: str,
    participants: Iterable[str] = (),
    asker: str | None = None,
    language: str | None = None,
    *,
    asked_at: datetime | None = None,
) -> Question:
    """What to search for when a person asks `text`.

    `participants` are the names under which people spoke. `asker` is the one who asks, if they are a participant:
    "Where did I park?" is then about them. `asked_at` is when they ask, in their time zone: the times that the question
    names are reckoned from it. Of several participants named, the question is about the first, unless it joins them.
    """
    text = " ".join(normalized("NFC", text[:MAX_QUESTION]).split())
    counted = Counter(asked_words(text, language))
    kept = dict(list(counted.items())[:MAX_WORDS])
    when, of_assistant, several = (bool(each.search(text)) for each in (_WHEN, _ASSISTANT_SAID, _SEVERAL))
    times, tongue = _times(text, asked_at) if asked_at else (), tongue_of(text)
    named = sorted(_named(text, participants), key=lambda each: each.begins)
    if named and not _are_joined(text, named):
        return Question(named[0].spoken, kept, named[0].name, when, several=several, times=times, tongue=tongue)
    about = asker if not named and asker and _FIRST_PERSON.search(text) else None
    return Question(text, kept, about, when, of_assistant and not named, several, times, tongue)


def _times(text: str, asked_at: datetime) -> tuple[TimeSpan, ...]:
    """Return the stretches of time that a question names, in the zone in which it is asked."""
    spans = []
    for dating in find_dates(text, asked_at):
        begins = datetime.combine(dating.span.first, time(), asked_at.tzinfo)
        try:
            spans.append((begins, datetime.combine(dating.span.last, time(), asked_at.tzinfo) + timedelta(days=1)))
        except OverflowError:  # the last day that there is
            continue
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class _Named:
    """A participant whom a text names: where that begins and ends first, and the text as they would put it."""

    name: str = field(repr=False)
    begins: int
    ends: int
    spoken: str = field(repr=False)


def _are_joined(text: str, named: Sequence[_Named]) -> bool:
    """Return whether a text asks about several alike: "Ada and Grace", or "both"."""
    if len(named) < 2:
        return False
    between = (text[earlier.ends : later.begins] for earlier, later in pairwise(named))
    return bool(_BOTH.search(text)) or any(
        _JOINING.issuperset(each.replace(",", " ").casefold().split()) for each in between
    )


def _is_other(text: str, ends: int) -> bool:
    """Return whether a name goes on with a capitalised word: it is somebody else's, as "Ada" in "Ada Palmer".

    Known of English questions only.
    """
    word = _NEXT_WORD.match(text, ends)
    return word is not None and word[1][0].isupper() and any(map(str.islower, word[1])) and _is_english(text)


def _is_english(text: str) -> bool:
    """Return whether a text is English for sure: in German a capitalised word may be any noun."""
    return language_of(text) == ENGLISH and not STOP_WORDS.isdisjoint(fold(text).split())


def _named(text: str, participants: Iterable[str]) -> list[_Named]:
    """The participants whom a text names, in any spelling.

    A first name will do when only one participant bears it.
    """
    names = {key: name for given in participants if (key := fold(name := " ".join(given.split())))}
    firsts = Counter(key.split()[0] for key in names)
    letters, places = _letters(text)
    bare = letters.replace("'", "")
    found: list[_Named] = []
    for key, name in names.items():
        first = key.split()[0]
        for called in dict.fromkeys([key, first] if firsts[first] == 1 else [key]):
            if called not in bare:
                continue
            pattern = "'?".join(map(re.escape, called))
            matches = re.finditer(rf"(?<!\w){pattern}(?!\w)((?:'s|(?<=s)')(?!\w))?", letters)
            if own := [match for match in matches if match[1] or not _is_other(text, places[match.end()])]:
                spoken = _as_first_person(text, own, places)
                found.append(_Named(name, places[own[0].start()], places[own[0].end()], spoken))
                break
    return found


def _letters(text: str) -> tuple[str, Sequence[int]]:
    """A text letter by letter as it is compared, with its apostrophes; and of which letter of the text each is made.

    One place more stands for the end.
    """
    if text.isascii():
        return text.casefold().replace("`", "'"), range(len(text) + 1)
    folded = [(at, each) for at, letter in enumerate(text) for each in _letter(letter)]
    return "".join(each for _, each in folded), [*(at for at, _ in folded), len(text)]


@lru_cache(maxsize=10_000)
def _letter(letter: str) -> str:
    return "'" if letter in APOSTROPHES else fold(letter) or (" " if letter.isspace() else "")


def _as_first_person(text: str, names: Iterable[re.Match[str]], places: Sequence[int]) -> str:
    spoken, end = [], 0
    for name in names:
        spoken += [text[end : places[name.start()]], "my" if name[1] else "I"]
        end = places[name.end()]
    return "".join([*spoken, text[end:]])
