"""Runs of capitalised words: what may be a name of a person or a place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stories.processors.offline.names.given_names import AMBIGUOUS_NAMES, GIVEN_NAMES
from stories.processors.offline.names.lexicon import COMMON_STARTS
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.words import STOP_WORDS

TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
LONGEST_RUN = 6  # words
BEFORE_PERSON = re.compile(
    r"\b(?:with|told|tell|asked|met|called|texted|hugged|miss|(?:my|our) (?:friend|sister|brother|cousin|boss|aunt|"
    r"uncle|wife|husband|son|daughter|neighbou?r|teacher|flatmate|roommate)) (?P<name>[a-z]{3,12})\b"
)
QUOTED = re.compile(r'"[^"]{1,80}"')


@dataclass(frozen=True, slots=True)
class Mention:
    """A run of capitalised words in a sentence; `initial` if its capital may be owed to the sentence's beginning."""

    sentence: Sentence
    start: int
    end: int
    text: str = field(repr=False)
    initial: bool
    quoted: bool

    @property
    def before(self) -> str:
        """The forty characters that lead up to the name."""
        return self.sentence.text[max(0, self.start - 40) : self.start]

    @property
    def after(self) -> str:
        return self.sentence.text[self.end : self.end + 40]


def is_capitalised(word: str) -> bool:
    """Anna, O'Neil, NYC, Łódź; not iPhone. Scripts without case have no capitals."""
    return word[:1].isupper()


def is_common(word: str) -> bool:
    """Whether a word at the start of a sentence is ordinary whatever its capital."""
    lower = word.lower()
    return lower in COMMON_STARTS or lower in STOP_WORDS


def runs(text: str) -> Iterator[list[re.Match[str]]]:
    """Capitalised words that stand side by side with one space between."""
    run: list[re.Match[str]] = []
    for token in TOKEN.finditer(text):
        adjoining = run and token.start() == run[-1].end() + 1 and text[run[-1].end()] == " "
        if not is_capitalised(token[0]):
            if run:
                yield run
            run = []
            continue
        if (run and not (adjoining and len(run) < LONGEST_RUN)) or (run and run[-1][0].endswith("'s")):
            yield run
            run = []
        run.append(token)
    if run:
        yield run


def mentions(sentence: Sentence) -> Iterator[Mention]:
    """The runs of a sentence, without ordinary words at their head and without the possessive at their end."""
    text = sentence.text
    quotes = [found.span() for found in QUOTED.finditer(text)]
    for run in runs(text):
        name = trimmed(run)
        if not name:
            continue
        start, end = name[0].start(), name[-1].end()
        end -= 2 if text[start:end].endswith("'s") else 0
        quoted = any(first <= start < last for first, last in quotes)
        opening = name[0] is run[0] and starts_clause(text, start)
        yield Mention(sentence, start, end, text[start:end], opening, quoted)
    yield from lower_case_mentions(sentence)


def lower_case_mentions(sentence: Sentence) -> Iterator[Mention]:
    """Given names without a capital, where only a person can follow: "lunch with priya"."""
    for found in BEFORE_PERSON.finditer(sentence.text):
        name = found["name"].capitalize()
        if name in GIVEN_NAMES and name not in AMBIGUOUS_NAMES:
            yield Mention(sentence, *found.span("name"), name, initial=False, quoted=False)


def trimmed(run: list[re.Match[str]]) -> list[re.Match[str]]:
    words = [token[0] for token in run]
    start, end = 0, len(run)
    while start < end and (is_first_person(words[start]) or words[start] == "A" or is_common(words[start])):
        start += 1
    while end > start and is_first_person(words[end - 1]):
        end -= 1
    return run[start:end]


def is_first_person(word: str) -> bool:
    return word == "I" or word.startswith("I'")


def starts_clause(text: str, start: int) -> bool:
    before = text[:start].rstrip("\"'([ -*")
    return not before or before[-1] in ".!?:\u2026"
