"""What is done to a question before anything is searched.

People speak of themselves as "I", and are asked about by name. Sentence embeddings take that for a different matter,
so the one person whom a question names becomes "I": by far the largest single gain for vectors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from stories.text.words import asked_words
from vibe.core.folding import APOSTROPHES, fold
from vibe.core.normal_forms import normalized

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


def is_first_person(text: str) -> bool:
    """Whether a question speaks of "I": only then it matters who asks."""
    return bool(_FIRST_PERSON.search(text[:MAX_QUESTION]))


def understand(
    text: str, participants: Iterable[str] = (), asker: str | None = None, language: str | None = None
) -> Question:
    """What to search for when a person asks `text`.

    `participants` are the names under which people spoke. `asker` is the one who asks, if they are a participant:
    "Where did I park?" is then about them.
    """
    text = " ".join(normalized("NFC", text[:MAX_QUESTION]).split())
    counted = Counter(asked_words(text, language))
    kept = dict(list(counted.items())[:MAX_WORDS])
    when, of_assistant = bool(_WHEN.search(text)), bool(_ASSISTANT_SAID.search(text))
    named = _named(text, participants)
    if len(named) == 1:
        [(speaker, spoken)] = named.items()
        return Question(spoken, kept, speaker, when)
    about = asker if not named and asker and _FIRST_PERSON.search(text) else None
    return Question(text, kept, about, when, of_assistant and not named)


def _named(text: str, participants: Iterable[str]) -> dict[str, str]:
    """The participants whom a text names, in any spelling, each with the text as they would put it.

    A first name will do when only one participant bears it.
    """
    names = {key: name for given in participants if (key := fold(name := " ".join(given.split())))}
    firsts = Counter(key.split()[0] for key in names)
    letters, places = _letters(text)
    bare = letters.replace("'", "")
    found: dict[str, str] = {}
    for key, name in names.items():
        first = key.split()[0]
        for called in dict.fromkeys([key, first] if firsts[first] == 1 else [key]):
            if called not in bare:
                continue
            pattern = "'?".join(map(re.escape, called))
            if matches := list(re.finditer(rf"(?<!\w){pattern}(?!\w)((?:'s|(?<=s)')(?!\w))?", letters)):
                found[name] = _as_first_person(text, matches, places)
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
