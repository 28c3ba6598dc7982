"""Runs of capitalised words: what may be a name of a person or a place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stories.processors.offline.names.given_names import AMBIGUOUS_NAMES, GIVEN_NAMES, names_of_the_world
from stories.processors.offline.names.lexicon import COMMON_STARTS, DEEDS_OF_PEOPLE, KIN, NICKNAMES, ROLES
from stories.processors.offline.sentences import Sentence, speech
from stories.processors.offline.verbs import is_past
from stories.processors.offline.words import STOP_WORDS

TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
LONGEST_RUN = 6  # words
MOST_POSSIBLE = 1_000
BEFORE_PERSON = re.compile(
    r"\b(?:with|told|tell|asked|met|texted|hugged|miss|think|me and|(?:my|our|his|her) "
    rf"(?:{'|'.join(sorted(ROLES | frozenset(KIN)))})) (?P<name>[^\W\d_]{{3,12}})\b"
)
AFTER_PERSON = re.compile(rf"\b(?P<name>[^\W\d_]{{3,12}}) (?:and (?:i|me)|{'|'.join(sorted(DEEDS_OF_PEOPLE))})\b")
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


def possible_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return runs of one to three capitalised words, each once, MOST_POSSIBLE of them at most."""
    found: dict[str, None] = {}
    for text in texts:
        for run in runs(speech(text)):
            words = [token[0].removesuffix("'s") for token in run]
            for start in range(len(words)):
                for end in range(start + 1, min(start + 3, len(words)) + 1):
                    found[" ".join(words[start:end])] = None
            if len(found) >= MOST_POSSIBLE:
                return tuple(found)[:MOST_POSSIBLE]
    return tuple(found)


def mentions(sentence: Sentence) -> Iterator[Mention]:
    """The runs of a sentence, without ordinary words at their head and without the possessive at their end."""
    text = sentence.text
    quotes = [found.span() for found in QUOTED.finditer(text)]
    for run in runs(text):
        name = trimmed(run, text)
        if not name:
            continue
        start, end = name[0].start(), name[-1].end()
        end -= 2 if text[start:end].endswith("'s") else 0
        quoted = any(first <= start < last for first, last in quotes)
        opening = name[0] is run[0] and starts_clause(text, start)
        yield Mention(sentence, start, end, text[start:end], opening, quoted)
    yield from lower_case_mentions(sentence)


def lower_case_mentions(sentence: Sentence) -> Iterator[Mention]:
    """Given names without a capital where only a person can stand: "with priya". Rare ones if nothing has a capital."""
    caseless = is_caseless(sentence.text)
    after = AFTER_PERSON.finditer(sentence.text) if caseless else ()
    for found in (*BEFORE_PERSON.finditer(sentence.text), *after):
        word, name = found["name"], found["name"].capitalize()
        known = name in GIVEN_NAMES or (caseless and name in names_of_the_world())
        if word.islower() and known and name not in AMBIGUOUS_NAMES and not is_common(word) and not is_past(word):
            yield Mention(sentence, found.start("name"), found.end("name"), name, initial=False, quoted=False)


def is_caseless(text: str) -> bool:
    """Whether somebody writes without capitals."""
    return text.islower() or text.replace("I", "i").islower()


def trimmed(run: list[re.Match[str]], text: str) -> list[re.Match[str]]:
    words = [token[0] for token in run]
    start, end = 0, len(run)
    while start < end and (is_first_person(words[start]) or words[start] == "A" or is_common(words[start])):
        if words[start] in AMBIGUOUS_NAMES and (not starts_clause(text, run[start].start()) or acts(text, run[start])):
            break  # "sorry to Hope", "Will laughed"
        start += 1
    while end - start > 1 and words[start] in NICKNAMES:
        start += 1
    while end > start and is_first_person(words[end - 1]):
        end -= 1
    return run[start:end]


def acts(text: str, word: re.Match[str]) -> bool:
    """Whether a past form follows."""
    verb = TOKEN.match(text, word.end() + 1)
    return verb is not None and verb[0].islower() and is_past(verb[0])


def is_first_person(word: str) -> bool:
    return word == "I" or word.startswith("I'")


def starts_clause(text: str, start: int) -> bool:
    before = text[:start].rstrip("\"'([ -*")
    return not before or before[-1] in ".!?:\u2026"
