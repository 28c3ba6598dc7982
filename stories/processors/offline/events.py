"""Events: who did or will do what, and when.

A clause is an event if its subject is known and its verb is a deed in the past, a plan, or anything dated that is not a
state of mind. Questions, wishes, conditions and denials are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from stories.processors.base import Event
from stories.processors.offline.clauses import Clause, clauses_of
from stories.processors.offline.dates import spans
from stories.processors.offline.dates.resolving import Dating, find_dates
from stories.processors.offline.names.people import People, display, is_machine
from stories.processors.offline.predicates import NOUN_AHEAD, Predicate, predicate_of
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.verbs import STATES
from stories.processors.offline.voice import of_them, third
from stories.processors.offline.words import STOP_WORDS, WORD, Stems, listed, shortened

MOST_EVENTS = 64
LONGEST_WHAT = 160  # characters

# "The race is on Friday", "My exam was yesterday", "It's our anniversary tomorrow", "There's a fair this weekend".
OCCASION = re.compile(
    r"\s*(?:(?:[Mm]y|[Oo]ur|[Tt]he) (?P<noun>[\w' -]{3,50}?) (?P<be>is|was|are|were|starts|started|begins|opens|"
    r"opened|will "
    r"be|happened|broke|won|lost|got|came|went|took|fell|died|[a-z]+ed)\b(?P<rest>.*)|(?:[Ii]t's|[Ii]t was|"
    r"[Ii]t is) (?:my|our) (?P<noun2>.*)|(?:[Tt]here's|[Tt]here is|[Tt]here was|"
    r"[Tt]here will be) (?P<noun3>an? .*))"
)
AUXILIARY = re.compile(r"^(?:(?:is|are|will|has|was|were) |(?:plans|hopes|wants|needs) to )")
FILLING = listed("ton tons bunch lot lots bit few couple")
# Words that say that something was done, and not yet what.
ANNOUNCED = re.compile(
    r"\bsomething\b|\b(?:had|got|have) (?:(?:an?|some) )?(?:\w+ )?(?:experience|time|moment|news|update|week|day)\b"
    r"(?! (?:at|with|in|on|\w+ing)\b)",
    re.IGNORECASE,
)
# What two times that are one have between them, and what the words of an event do not end with.
NEAR = re.compile(r"[ ,]*(?:(?:in|on|of|the) )*")
UNSPACED = re.compile(r"[^ ,]+")
LOOSE = listed("and but so or by at on with to the a an from because then")
LASTED = re.compile(r"took (?:\w+ ){0,4}(?:second|minute|hour|day|week|month|year)s?\b")
# Past forms that no subject has by themselves: "I've been to Rome".
PARTICIPLES = listed("been gone done seen taken written begun chosen driven eaten fallen flown given grown spoken")
BARE = listed("is was are were will be happened")
MARKS = " ,.;:!-"
# What leads up to a time goes with it: "on Monday", "about two years ago". Of runs of it the last may end the words.
LEADING_UP = re.compile(
    r"(?:[\s,.;:!-]|\b(?:on|in|at|by|for|of|since|until|from|the|and|(?<!moved )(?<!came )(?<!went )back|during|"
    r"over|early|late|around|about|just|so|with|"
    r"to|a|starting)\b)++",
    re.IGNORECASE,
)
WILL = re.compile(
    rf"^(?:'ll|will|shall|(?:'m |'re |'s |am |are |is )?(?:gonna|about to|going to(?! (?:{NOUN_AHEAD}))))\b",
    re.IGNORECASE,
)
HEAD = re.compile(r"^('m|'re|'s|am|are|is|[a-z]+)\b", re.IGNORECASE)


# Verbs that say enough by themselves, or with a small word.
COMPLETE = frozenset(
    (
        "graduated",
        "retired",
        "married",
        "divorced",
        "moved",
        "quit",
        "resigned",
        "passed away",
        "broke up",
        "moved out",
        "moved in",
        "moved away",
        "moved back",
        "came back",
        "came home",
        "got away",
        "dropped out",
    )
)


def events_of(sentences: Sequence[Sentence], people: People, stems: Stems) -> list[tuple[int, Event]]:
    """The events of a transcript, each once, with the position of the sentence that told it; in the order told.

    Beyond MOST_EVENTS the undated go first.
    """
    first_told: dict[tuple[str, frozenset[str]], tuple[int, Event]] = {}
    for _, said in groupby(sentences, key=lambda sentence: sentence.message.id):
        for position, event in events_in(list(said), people):
            first_told.setdefault((event.who, frozenset(stems.of(event.what))), (position, event))
    dated_first = sorted(first_told.values(), key=lambda told: told[1].when is None)
    return sorted(dated_first[:MOST_EVENTS], key=lambda told: told[0])


def events_in(message: Sequence[Sentence], people: People) -> Iterator[tuple[int, Event]]:
    """The events of one message.

    A clause that tells no event passes its time on to the next ("Friday was wild - I ..."), and to the next sentence if
    it announces something ("Something happened on Friday!").
    """
    passed_on: Dating | None = None
    for sentence in message:
        if sentence.is_question or is_machine(sentence.author):
            passed_on = None
            continue
        announced = False
        for clause in clauses_of(sentence, people):
            predicate = (
                predicate_of(clause.says, has_subject=bool(clause.who)) if clause.who or clause.elliptic else None
            )
            datings = find_dates(clause.text, sentence.message.sent_at, ahead=predicate.ahead if predicate else None)
            event = deed(clause, predicate, datings, passed_on) if predicate else None
            if event is None and not clause.who:
                event = occasion(clause, datings)
            if event:
                yield sentence.position, event
            passed_on = None if event else datings[0] if datings else passed_on
            announced = announced or bool(ANNOUNCED.search(clause.text))
        passed_on = passed_on if announced else None


def deed(clause: Clause, predicate: Predicate, datings: Sequence[Dating], passed_on: Dating | None) -> Event | None:
    dating = fitting(datings, clause, predicate) or (None if predicate.ahead else passed_on)
    if dating is None and predicate.needs_time:
        return None
    what = told(without_dates(clause, clause.predicate + predicate.start, clause.end, datings), predicate)
    return event_of(clause, what, dating) if is_telling(what) and not ANNOUNCED.search(what) else None


def fitting(datings: Sequence[Dating], clause: Clause, predicate: Predicate) -> Dating | None:
    """The first time named that goes with the verb: no plan lies in the past."""
    said = clause.sentence.message.sent_at.date()
    fit = [dating for dating in datings if not (predicate.ahead and dating.span.last < said)]
    if len(fit) < 2 or not NEAR.fullmatch(clause.text[fit[0].end : fit[1].start]):
        return fit[0] if fit else None
    first, second = fit[0].span, fit[1].span
    if first.precision == "year" and second.precision == "month":  # "last year, in May"
        return replace(fit[1], span=spans.month(second.first.replace(year=first.first.year)))
    return fit[1] if first.first <= second.first and second.last <= first.last else fit[0]


def occasion(clause: Clause, datings: Sequence[Dating]) -> Event | None:
    """A thing that takes place by itself: the race on Friday. "Is" says no more than the thing; "crashed" does."""
    found = OCCASION.match(clause.text) if datings else None
    if not found:
        return None
    group = next(name for name in ("noun", "noun2", "noun3") if found[name])
    start, end = (clause.start + offset for offset in found.span(group))
    noun, verb = without_dates(clause, start, end, datings), found["be"] or ""
    rest = without_dates(clause, clause.start + found.end("be"), clause.end, datings) if verb else ""
    if noun.lower() in STOP_WORDS or len(noun) < 3 or verb in STATES:
        return None
    return event_of(clause, noun if verb in BARE and not rest else f"{noun} {verb} {rest}".strip(), datings[0])


def event_of(clause: Clause, what: str, dating: Dating | None) -> Event:
    what = shortened(what, LONGEST_WHAT)
    who, message = clause.who or display(clause.sentence.author), clause.sentence.message.id
    if dating is None:
        return Event(who, what, None, "none", message)
    return Event(who, what, dating.span.first, dating.span.precision, message)


def without_dates(clause: Clause, start: int, end: int, datings: Sequence[Dating]) -> str:
    """The words from start to end, offsets in the sentence, with the times cut out (their offsets are the clause's)."""
    kept, text = [], clause.sentence.text
    for dating in datings:
        possessive = text.startswith("'s", clause.start + dating.end)  # "last week's game" stays whole
        if start <= clause.start + dating.start < end and not possessive:
            kept.append(without_leading_up(text[start : clause.start + dating.start]))
            start = min(end, clause.start + dating.end)
    kept.append(text[start:end])
    return without_loose_end(" ".join(" ".join(kept).split()).replace(" ,", ",").strip(MARKS)).strip(MARKS)


def without_loose_end(text: str) -> str:
    """Return a text without the words at its end that lead to something: "at", "and then"."""
    found = list(UNSPACED.finditer(text))
    while len(found) > 1 and found[-1][0] in LOOSE:
        found.pop()
    return text[: found[-1].end()] if found else text


def without_leading_up(words: str) -> str:
    runs = list(LEADING_UP.finditer(words))
    return words[: runs[-1].start()] if runs and runs[-1].end() == len(words) else words


def told(words: str, predicate: Predicate) -> str:
    """The words as one tells them of somebody else: "'ll go" is "will go", "'m meeting" is "is meeting"."""
    words = re.sub(r"^were\b", "was", of_them(words))
    if will := WILL.match(words):
        return "will" + words[will.end() :]
    if words.partition(" ")[0].lower() in PARTICIPLES:
        return f"has {words[:1].lower()}{words[1:]}"
    if not predicate.ahead:
        return words[:1].lower() + words[1:]
    head = HEAD.match(words)
    return third(head[0].lower()) + words[head.end() :] if head and not head[0].endswith("s") else words


def is_telling(what: str) -> bool:
    """Whether more than a bare verb is said: "went" is nothing, "moved" is not much, "got married" will do."""
    if LASTED.match(what):
        return False
    words = WORD.findall(AUXILIARY.sub("", what.lower()))
    return any(word not in STOP_WORDS and word not in FILLING for word in words[1:]) or " ".join(words) in COMPLETE
