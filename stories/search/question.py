"""What is done to a question before anything is searched.

People speak of themselves as "I", and are asked about by name. Sentence embeddings take that for a different matter,
so the one person whom a question names becomes "I": by far the largest single gain for vectors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stories.text.words import words
from vibe.core.normal_forms import normalized

MAX_QUESTION = 2_000
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


def is_first_person(text: str) -> bool:
    """Whether a question speaks of "I": only then it matters who asks."""
    return bool(_FIRST_PERSON.search(text[:MAX_QUESTION]))


def understand(
    text: str, participants: Iterable[str] = (), asker: str | None = None, language: str = "english"
) -> Question:
    """What to search for when a person asks `text`.

    `participants` are the names under which people spoke. `asker` is the one who asks, if they are a participant:
    "Where did I park?" is then about them.
    """
    text = " ".join(normalized("NFC", text[:MAX_QUESTION]).split())
    counted = Counter(words(text, language))
    kept = dict(list(counted.items())[:MAX_WORDS])
    when = bool(_WHEN.search(text))
    named = _named(text, participants)
    if len(named) == 1:
        [(speaker, pattern)] = named.items()
        return Question(_as_first_person(text, pattern), kept, speaker, when)
    if not named and asker and _FIRST_PERSON.search(text):
        return Question(text, kept, asker, when)
    return Question(text, kept, when=when)


def _named(text: str, participants: Iterable[str]) -> dict[str, str]:
    """The participants whom a text names, each with the pattern of the name that was found.

    A first name will do when only one participant bears it.
    """
    names = list(dict.fromkeys(name for name in (" ".join(given.split()) for given in participants) if name))
    firsts = Counter(name.split()[0].casefold() for name in names)
    found: dict[str, str] = {}
    for name in names:
        first = name.split()[0]
        for called in dict.fromkeys([name, first] if firsts[first.casefold()] == 1 else [name]):
            pattern = rf"(?<!\w){re.escape(normalized('NFC', called))}(?!\w)"
            if re.search(pattern, text, re.IGNORECASE):
                found[name] = pattern
                break
    return found


def _as_first_person(text: str, name: str) -> str:
    owned = re.sub(rf"{name}(?:['\u2019]s|(?<=s)['\u2019])(?!\w)", "my", text, flags=re.IGNORECASE)
    return re.sub(name, "I", owned, flags=re.IGNORECASE)
