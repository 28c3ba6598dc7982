"""Events: who did or will do what, and when.

A clause is an event if its subject is known and its verb is a deed in the past, a plan, or anything dated that is not a
state of mind. Questions, wishes, conditions and denials are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stories.processors.base import Event
from stories.processors.offline.clauses import Clause, clauses_of
from stories.processors.offline.dates import Dating, find_dates
from stories.processors.offline.people import People, display, is_machine
from stories.processors.offline.predicates import NOUN_AHEAD, Predicate, predicate_of
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.verbs import STATES
from stories.processors.offline.voice import of_them, third
from stories.processors.offline.words import STOP_WORDS, WORD, Stems, listed

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
BARE = listed("is was are were will be happened")
LOOSE_ENDS = re.compile(r"^(?:[\s,.;:!-]+)|(?:[\s,.;:!-]|\b(?:on|in|at|by|for|of|since|until|from|the|and|back|"
                        r"during|over|"
                        r"early|late|around|so|with|to|a|this|that|starting)\b)+$", re.IGNORECASE)  # fmt: skip
WILL = re.compile(
    rf"^(?:'ll|will|shall|(?:'m |'re |'s |am |are |is )?(?:gonna|about to|going to(?! (?:{NOUN_AHEAD}))))\b",
    re.IGNORECASE,
)
HEAD = re.compile(r"^('m|'re|'s|am|are|is|[a-z]+)\b", re.IGNORECASE)


# Two words that say enough, though the second is a small one.
COMPLETE = frozenset(("passed away", "broke up", "moved out", "moved in", "moved away", "got away", "dropped out"))


def events_of(sentences: Sequence[Sentence], people: People, stems: Stems) -> list[tuple[int, Event]]:
    """The events of a transcript, each once, with the position of the sentence that told it; in the order told.

    Beyond MOST_EVENTS the undated go first.
    """
    first_told: dict[tuple[str, frozenset[str]], tuple[int, Event]] = {}
    for sentence in sentences:
        if not sentence.is_question and not is_machine(sentence.author):
            for event in events_in(sentence, people):
                first_told.setdefault((event.who, frozenset(stems.of(event.what))), (sentence.position, event))
    dated_first = sorted(first_told.values(), key=lambda told: told[1].when is None)
    return sorted(dated_first[:MOST_EVENTS], key=lambda told: told[0])


def events_in(sentence: Sentence, people: People) -> Iterator[Event]:
    """The events of a sentence. A time in a clause that tells nothing ("Something happened on Friday - ") passes on."""
    passed_on: Dating | None = None
    for clause in clauses_of(sentence, people):
        predicate = predicate_of(clause.says, has_subject=bool(clause.who))
        datings = find_dates(clause.text, sentence.message.sent_at, ahead=predicate.ahead if predicate else None)
        event = deed(clause, predicate, datings, passed_on) if predicate else None
        if event is None and not clause.who:
            event = occasion(clause, datings)
        passed_on = datings[0] if datings and not event else None
        if event:
            yield event


def deed(clause: Clause, predicate: Predicate, datings: Sequence[Dating], passed_on: Dating | None) -> Event | None:
    dating = fitting(datings, clause, predicate) or (None if predicate.ahead else passed_on)
    if dating is None and predicate.needs_time:
        return None
    what = told(without_dates(clause, clause.predicate + predicate.start, clause.end, datings), predicate)
    return event_of(clause, what, dating) if is_telling(what) else None


def fitting(datings: Sequence[Dating], clause: Clause, predicate: Predicate) -> Dating | None:
    """The first time named that goes with the verb: no plan lies in the past."""
    said = clause.sentence.message.sent_at.date()
    return next((dating for dating in datings if not (predicate.ahead and dating.span.last < said)), None)


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
    if len(what) > LONGEST_WHAT:
        what = what[:LONGEST_WHAT].rsplit(" ", 1)[0] + "\u2026"
    who, message = clause.who or display(clause.sentence.author), clause.sentence.message.id
    if dating is None:
        return Event(who, what, None, "none", message)
    return Event(who, what, dating.span.first, dating.span.precision, message)


def without_dates(clause: Clause, start: int, end: int, datings: Sequence[Dating]) -> str:
    """The words from start to end, offsets in the sentence, with the times cut out (their offsets are the clause's)."""
    kept, text = [], clause.sentence.text
    for dating in datings:
        if start <= clause.start + dating.start < end:
            kept.append(LOOSE_ENDS.sub("", text[start : clause.start + dating.start]))
            start = min(end, clause.start + dating.end)
    kept.append(text[start:end])
    return LOOSE_ENDS.sub("", " ".join(" ".join(kept).split()).replace(" ,", ","))


def told(words: str, predicate: Predicate) -> str:
    """The words as one tells them of somebody else: "'ll go" is "will go", "'m meeting" is "is meeting"."""
    words = of_them(words)
    if will := WILL.match(words):
        return "will" + words[will.end() :]
    if not predicate.ahead:
        return words[:1].lower() + words[1:]
    head = HEAD.match(words)
    return third(head[0].lower()) + words[head.end() :] if head and not head[0].endswith("s") else words


def is_telling(what: str) -> bool:
    """Whether more than a bare verb is said: "went" is nothing, "moved" is not much, "got married" will do."""
    words = WORD.findall(AUXILIARY.sub("", what.lower()))
    return any(word not in STOP_WORDS and word not in FILLING for word in words[1:]) or " ".join(words) in COMPLETE
