"""Readers of values: what stands behind a frame, as far as it is the value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from stories.facts.rules.words import LANGUAGES, NATIONALITIES, NO_NAME, NOTHING_LIKED, OCCUPATIONS, POSSESSIONS
from stories.processors.offline.names.gazetteer import find, folded
from stories.processors.offline.names.given_names import GIVEN_NAMES, names_of_the_world
from stories.processors.offline.words import listed

Value = tuple[str, int, int]
"""A value and its span."""
Reader = Callable[[str, int, int], Iterable[Value]]
"""What reads values from an offset on, at most up to another."""
LONGEST: Final = 80
WORD = re.compile(r"[^\W_](?:[\w'-]|\.(?=\w))*+")
STOP = re.compile(
    r"[,;:!?()\n\u2014\u2013\"]|(?<!\bSt)(?<!\bDr)(?<!\bMt)\.(?!\w)| - | (?:"
    r"and|but|because|cause|cuz|since|so|when|while|if|though|although|which|"
    r"who|whom|whose|that|as|until|till|after|before|at least|these days|nowadays|now|right now|at the moment|today|"
    r"tonight|yesterday|this (?:week|month|year|morning)|last|next|any ?more|again|too|also|already|still|lol|haha|btw|"
    r"by the way|tho|please|thanks|instead|then|where|did|do|does|even|not|for (?:now|years|ages|a while|\w+ years|"
    r"\w+ months)|on (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|a sunday|sundays)|"
    r"(?:twice|once|every|each) .*)(?![\w'])",
    re.IGNORECASE,
)
ARTICLE = re.compile(r"(?:a|an|the|my|our|some|any|to) ", re.IGNORECASE)
ANOTHER_CLAUSE = re.compile(
    r"(?:I|I'\w+|my|we|our|they|it|he|she|have|has|am|was|can|can't|don't|need|want|love|hate|like|live|work|go|get|got|"
    r"take|then|now|found|did|that's)\b",
    re.IGNORECASE,
)
BEHIND_NAME = re.compile(r"[.,!;]|$| and\b| but\b| from\b| by the way\b| btw\b|\s*$")
CALLED = re.compile(r"(?:an? |the )(?:[\w-]{1,20} ){1,4}?(?:called|named) ")
STUDIED_WHERE = re.compile(r" (?:at|in|with|on|from|every|all)\b.*")
NOT_STUDIED: Final = frozenset(
    {"for", "hard", "a", "at", "every", "abroad", "the", "all", "too", "there", "here", "with"}
)
BESIDE_LANGUAGES: Final = frozenset(
    {"a", "bit", "of", "little", "and", "some", "fluent", "also", "or", "basic", "both"}
)
BEHIND_THING = re.compile(r" (?:to|for|on|at|by|with|in|off)\b")
FOR_ME = re.compile(r"(?P<value>[\w' -]{2,30}?) for me\b")
MARK = re.compile(r"[.,;:!?()\n\u2014\u2013]")
CLAUSE_BEHIND = re.compile(r" (?:that|which|who|whom|whose|where|when|how)\b")
LASTING: Final = listed(
    """sea ocean beach mountains snow rain sun sunshine outdoors cold heat summer winter autumn spring fall countryside
    city forest woods theatre theater opera cinema desert lake river nature weekend evening morning night smell sound"""
)
"""What "the" stands before in what people like at all times."""
POINTS: Final = listed("this that these those it its it's them him her you your there here we they i i'm")
PREPOSITIONS: Final = listed("to of in on at for with from by about into the a an and or as like than up out")
SHORT: Final = frozenset({"St", "Dr", "Mt", "Mr", "Mrs", "Ms"})
NO_MORE = re.compile(r"\b(?:any ?more|any longer|no longer)\b", re.IGNORECASE)
JOINT = re.compile(r",? and |, | or | & ")
PARTICLES: Final = frozenset(
    [
        "de",
        "da",
        "do",
        "dos",
        "del",
        "della",
        "di",
        "la",
        "le",
        "van",
        "von",
        "der",
        "den",
        "al",
        "el",
        "bin",
        "of",
        "the",
        "St.",
        "San",
    ]
)


def phrase(text: str, at: int, end: int) -> Iterator[Value]:
    """Give the words up to where something else begins."""
    stop = STOP.search(text, at, min(end, at + LONGEST))
    to = stop.start() if stop else min(end, at + LONGEST)
    said = text[at:to].rstrip(" .'")
    if said and WORD.match(said) and (stop or to == end):
        yield said, at, at + len(said)


def several(text: str, at: int, end: int) -> Iterator[Value]:
    """Give each phrase of a list, "cats, dust and penicillin"; what stands behind a comma only if an "and" follows."""
    found: list[Value] = []
    sure = 1
    for _ in range(6):
        one = next(phrase(text, at, end), None)
        if one is None:
            break
        found.append(one)
        joint = JOINT.match(text, one[2], end)
        if (
            joint and len(found) == 1 and PREPOSITIONS.intersection(one[0].lower().split())
        ):  # "books about art and love"
            more = next(phrase(text, joint.end(), end), None)
            if joint[0] != ", " and more and not ANOTHER_CLAUSE.match(text, joint.end(), end):
                found = [(text[at : more[2]], at, more[2])]
            break
        if not joint or ANOTHER_CLAUSE.match(text, joint.end(), end):
            break
        at = joint.end()
        if joint[0] != ", ":
            sure = len(found) + 1
    yield from found[:sure]


def liked(text: str, at: int, end: int) -> Iterator[Value]:
    """Give what somebody likes; nothing of a clause, a pronoun, or "I love the colours", which is of a picture."""
    for said, begins, ends in disliked(text, at, end):
        words = said.lower().split()
        if words[0] in ("the", "all") and not LASTING.intersection(words):
            return
        yield said, begins, ends


def disliked(text: str, at: int, end: int) -> Iterator[Value]:
    """Give what somebody dislikes; nothing of a clause or a pronoun."""
    for said, begins, ends in several(text, at, end):
        words = said.lower().split()
        if words[0] in NOTHING_LIKED or POINTS.intersection(words) or CLAUSE_BEHIND.match(text, ends, end):
            return
        if len(said) > 2 and words[-1] not in PREPOSITIONS:
            yield said, begins, ends


def clause(text: str, at: int, end: int) -> Iterator[Value]:
    """Give the words up to the next mark."""
    found = MARK.search(text, at, min(end, at + 2 * LONGEST))
    said = text[at : found.start() if found else end].rstrip()
    if said and len(said) <= LONGEST:
        yield said, at, at + len(said)


def favourite(text: str, at: int, end: int) -> Iterator[Value]:
    """Give somebody's favourite, unless that is pointed at."""
    for said, begins, ends in phrase(text, at, end):
        if not POINTS.intersection(said.lower().split()) and said.split()[0].lower() not in NOTHING_LIKED:
            yield said, begins, ends


def names(text: str, at: int, end: int) -> Iterator[Value]:
    """Give capitalised names, each of three words at most: "Olek and Zosia"."""
    for _ in range(4):
        last = at
        for word in WORD.finditer(text, at, min(end, at + LONGEST)):
            gap = text[last : word.start()]
            if (
                gap != ("" if last == at else ". " if text[at:last] in SHORT else " ")
                or not is_name(word[0])
                or last - at > 40
            ):
                break
            last = word.start() + len(word[0].removesuffix("'s"))
            if last < word.end():
                break
        if last == at:
            return
        yield text[at:last], at, last
        joint = JOINT.match(text, last, end)
        if not joint:
            return
        at = joint.end()


def name(text: str, at: int, end: int) -> Iterator[Value]:
    """Give one name."""
    yield from list(names(text, at, end))[:1]


def called(text: str, at: int, end: int) -> Iterator[Value]:
    """Give a name after "is called", in lower case too."""
    found = list(name(text, at, end))
    word = WORD.match(text, at, end)
    if not found and word and word[0].islower() and word[0] not in PARTICLES and len(word[0]) > 1:
        found = [(word[0], at, word.end())]
    yield from found


def place(text: str, at: int, end: int) -> Iterator[Value]:
    """Give a place: capitalised words, or a city that is known without a capital."""
    last, words = at, 0
    for word in WORD.finditer(text, at, min(end, at + LONGEST)):
        gap = text[last : word.start()]
        if words and gap == ", " and is_name(word[0]) and find(folded(word[0])):
            pass
        elif gap != (" " if words else "") or not (is_name(word[0]) or (words and word[0] in PARTICLES)):
            break
        last, words = word.end(), words + 1
    said = text[at:last].removesuffix("'s")
    while said and said.rsplit(" ", 1)[-1] in PARTICLES and " " in said:
        said = said.rsplit(" ", 1)[0]
    if words:
        yield said, at, at + len(said)
        return
    found = WORD.match(text, at, end)
    for size in (2, 1):
        said = " ".join(text[at : at + LONGEST].split()[:size]).rstrip(".,!;:")
        known = find(folded(said)) if found and said else None
        if known and known.size >= 100_000 and not known.ambiguous:
            yield said, at, at + len(said)
            return


def organisation(text: str, at: int, end: int) -> Iterator[Value]:
    """Give the name of a firm or a school, with its kind where an article stands before it: "St. Mary hospital"."""
    if found := CALLED.match(text, at, end):
        yield from name(text, found.end(), end)
        return
    article = ARTICLE.match(text, at, end)
    begin = article.end() if article else at
    for said, _, ends in name(text, begin, end):
        more = next(phrase(text, begin, end), None) if article else None
        yield (more[0], begin, more[2]) if more and more[0].startswith(said) else (said, begin, ends)


def employer_behind_trade(text: str, at: int, end: int) -> Iterator[Value]:
    """Give the firm in "a nurse at St. Mary's", where what stands before it is a trade."""
    if any(word.lower() in OCCUPATIONS for word in text[max(0, at - LONGEST) : at].split()):
        yield from organisation(text, at, end)


def introduced(text: str, at: int, end: int) -> Iterator[Value]:
    """Give the name in "I'm Ada," where it is known as one, and nothing but a name can stand."""
    for said, begins, ends in name(text, at, end):
        first = said.split(maxsplit=1)[0].partition("-")[0]
        known = first in GIVEN_NAMES or first in names_of_the_world()
        if known and first not in NATIONALITIES and BEHIND_NAME.match(text, ends, end):
            yield said, begins, ends


def subject(text: str, at: int, end: int) -> Iterator[Value]:
    """Give what somebody studies."""
    for said, begins, _ in phrase(text, at, end):
        cut = STUDIED_WHERE.search(said)
        what = said[: cut.start()] if cut else said
        if what and what.split()[0].lower() not in NOT_STUDIED and what.split()[0].capitalize() not in LANGUAGES:
            yield what, begins, begins + len(what)


def student(text: str, at: int, end: int) -> Iterator[Value]:
    """Give nothing in particular for "a student"."""
    if text.startswith("student", at, end):
        yield "", at, at


def languages(text: str, at: int, end: int) -> Iterator[Value]:
    """Give each language of a list."""
    for word in WORD.finditer(text, at, min(end, at + LONGEST)):
        if word[0].capitalize() in LANGUAGES:
            yield word[0].capitalize(), word.start(), word.end()
        elif word[0].lower() not in BESIDE_LANGUAGES:
            return


def plan(text: str, at: int, end: int) -> Iterator[Value]:
    """Give "moving to Rome"."""
    behind = text.index(" to ", at, end) + len(" to ")
    for said, _, ends in place(text, behind, end):
        yield f"{text[at:behind]}{said}", at, ends


def if_no_more(read: Reader) -> Reader:
    """Return a reader that reads only where the sentence says that something does not hold any more."""

    def read_if(text: str, at: int, end: int) -> Iterable[Value]:
        return read(text, at, end) if NO_MORE.search(text, max(0, at - LONGEST), end) else ()

    return read_if


def digits(text: str, at: int, end: int) -> Iterator[Value]:
    """Give a telephone number."""
    if found := NUMBER.match(text, at, end):
        yield found[0], at, found.end()


def address(text: str, at: int, end: int) -> Iterator[Value]:
    """Give an email address."""
    if found := EMAIL.match(text, at, end):
        yield found[0], at, found.end()


def rest(text: str, at: int, end: int) -> Iterator[Value]:
    """Give all that is left of the sentence."""
    said = text[at:end].rstrip(" .!")
    if said and len(said) <= 200 and "   " not in said:  # where a quotation was left out
        yield said, at, at + len(said)


NUMBER = re.compile(r"\+?\d[\d ()/-]{3,20}+")
EMAIL = re.compile(r"[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,4}")


def named(text: str, at: int, _end: int) -> Iterator[Value]:
    """Give the name in "Ada here", where it is known as one."""
    said = text[:at].rsplit(maxsplit=2)[-2]
    if said in GIVEN_NAMES or said in names_of_the_world():
        begins = at - len("here") - 1 - len(said)
        yield said, begins, begins + len(said)


def thing(text: str, at: int, end: int) -> Iterator[Value]:
    """Give what is sold or given away, without to whom."""
    for said, begins, _ in phrase(text, at, end):
        kept = BEHIND_THING.split(said, maxsplit=1)[0]
        yield kept, begins, begins + len(kept)


def for_me(text: str, at: int, end: int) -> Iterator[Value]:
    """Give what is no more: "no more meat for me"."""
    if found := FOR_ME.match(text, at, end):
        yield found["value"], at, found.end("value")


def things(text: str, at: int, end: int) -> Iterator[Value]:
    """Give each thing of a list, "a cabin in Sirdal and a boat"."""
    for said, begins, ends in several(text, at, end):
        article = ARTICLE.match(said)
        skip = article.end() if article else 0
        if any(word.lower() in POSSESSIONS for word in said.split()):
            yield said[skip:], begins + skip, ends


def among(words: frozenset[str], *, last: bool = False, before: re.Pattern[str] | None = None) -> Reader:
    """Return a reader of a phrase of which a word, the last one if so asked, is one of these."""
    lower = frozenset(each.lower() for each in words)

    def read(text: str, at: int, end: int) -> Iterator[Value]:
        for said, begins, _ in phrase(text, at, end):
            cut = before.search(said) if before else None
            kept = said[: cut.start()] if cut else said
            found = kept.lower().split()
            if found and ((found[-1] in lower) if last else any(word in lower for word in found)):
                yield kept, begins, begins + len(kept)

    return read


def one_of(words: frozenset[str]) -> Reader:
    """Return a reader of the last word of a phrase, if it is one of these: "how to play the violin"."""

    def read(text: str, at: int, end: int) -> Iterator[Value]:
        for said, begins, _ in thing(text, at, end):
            last = said.rsplit(maxsplit=1)[-1]
            if last.lower() in words:
                yield last, begins + len(said) - len(last), begins + len(said)

    return read


def is_name(word: str) -> bool:
    """Return whether a word is written as a name is."""
    return word[:1].isupper() and word not in NO_NAME
