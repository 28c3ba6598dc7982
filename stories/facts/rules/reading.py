"""Statements of facts in one message, by rule: what its speaker says is, was or is no more true of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final

from stories.facts.rules import kin as of_kin
from stories.facts.rules import values
from stories.facts.rules.framing import Frame
from stories.facts.rules.life import LIFE
from stories.facts.rules.person import PERSON as OF_PERSON
from stories.facts.rules.sentences import Sentence, sentences
from stories.facts.rules.words import KIN
from stories.facts.statements import PERSON, Kind, Statement
from stories.processors.offline.dates.resolving import find_dates
from stories.processors.offline.dates.spans import Span

BY_LETTER: Final = {
    letter: tuple(frame for frame in (*OF_PERSON, *LIFE) if letter in frame.opens)
    for letter in "abcdefghijklmnopqrstuvwxyz0123456789"
}
BEGINS: Final = re.compile(
    r"\b(?:moved|bought|got|started|began|joined|adopted|hired|quit|sold|became|since|left|graduated|broke|stopped|gave)\b",
    re.IGNORECASE,
)
"""Verbs that a time in their sentence dates."""
MOST: Final = 32
"""Statements of one message."""


def read_statements(text: str, said_at: datetime) -> list[Statement]:
    """Return the statements that a message makes of its speaker, in its order; the subject is left open.

    `said_at` is in the speaker's time zone, which decides what "yesterday" means. Takes time linear in the text.
    """
    found: list[Statement] = []
    before: Sentence | None = None
    for sentence in sentences(text):
        found += [_dated(said, sentence, said_at) for said in _read(sentence, before, said_at)]
        before = sentence
        if len(found) >= MOST:
            break
    return _without_repeats(found)[:MOST]


def _read(sentence: Sentence, before: Sentence | None, said_at: datetime) -> Iterator[Statement]:
    yield from _kin(sentence, before)
    if not sentence.is_question:
        yield from _together(sentence)
    for at in sentence.clauses():
        for frame in BY_LETTER.get(sentence.text[at : at + 1].lower(), ()):
            if found := frame.pattern.match(sentence.text, at, sentence.end):
                yield from _framed(frame, found, sentence, said_at)


def _framed(frame: Frame, found: re.Match[str], sentence: Sentence, said_at: datetime) -> Iterator[Statement]:
    """Give what follows from a frame; nothing of a dated one without a day to come."""
    day = _day_to_come(sentence, found.end(), said_at) if frame.dated else None
    if frame.dated and day is None:
        return
    for attribute, kind, value in frame.says:
        for said, start, end in _values(value, found, sentence):
            of = f"{found['of'].lower()}: " if attribute == "favorite" else ""
            statement = Statement(PERSON, attribute, of + said, kind, start=start, end=end)
            yield replace(statement, day=day, until=_midnight(day + timedelta(days=1), said_at)) if day else statement


def _values(value: values.Reader | str, found: re.Match[str], sentence: Sentence) -> Iterator[values.Value]:
    if not isinstance(value, str):
        yield from value(sentence.text, found.end(), sentence.end)
    elif "value" in value:
        said = found["value"].strip()
        if said:
            yield said if value == "value" else value.format(value=said), found.start("value"), found.end("value")
    else:
        yield value, found.start(), found.end()


def _kin(sentence: Sentence, before: Sentence | None) -> Iterator[Statement]:
    """Give people and pets by name: "my sister Ana", "I have two cats, Kit and Kat", "we got a dog. His name is Bo"."""
    text, end = sentence.text, sentence.end
    for pattern in (of_kin.KIN, of_kin.HAVE_KIN, of_kin.HER_NAME):
        for found in pattern.finditer(text, sentence.start, end):
            kin = (found["of"] or found["new"]).lower()
            several = kin.endswith("s") and kin != "boss"
            apart = found[0].endswith(", ") and pattern is of_kin.KIN
            for said, start, stop in (values.names if several else values.name)(text, found.end(), end):
                if not apart or text[stop : stop + 1] in (",", ".", ")"):
                    yield Statement(
                        PERSON, KIN.get(kin, KIN.get(kin.removesuffix("s"), "other")), said, start=start, end=stop
                    )
    pet = before and of_kin.A_PET.search(before.text, before.start, before.end)
    if pet and (its := of_kin.ITS_NAME.match(text, sentence.start, end)):
        for said, start, stop in values.called(text, its.end(), end):
            yield Statement(PERSON, "pet", said, start=start, end=stop)
    if theirs := of_kin.A_PARTNER.match(text, sentence.start, end):
        for said, start, stop in values.name(text, theirs.end(), end):
            yield Statement(PERSON, "partner", said, start=start, end=stop)


def _together(sentence: Sentence) -> Iterator[Statement]:
    """Give what "Ana and I broke up" says, and who died."""
    text, end = sentence.text, sentence.end
    for found in of_kin.TOGETHER.finditer(text[sentence.start : end]):
        if not values.is_name(found["value"]):
            continue
        start, stop, did = found.start() + sentence.start, found.end() + sentence.start, found["did"]
        over = did.startswith(("broke", "split", "sep", "got div"))
        yield Statement(PERSON, "partner", found["value"], Kind.HELD if over else Kind.HOLDS, start=start, end=stop)
        if did.startswith(("got ", "are engaged", "are married")):
            yield Statement(PERSON, "relationship", did.split()[1], start=start, end=stop)
    for found in of_kin.IS_MY.finditer(text[sentence.start : end]):
        if values.is_name(found["value"]):
            start = found.start() + sentence.start
            kin = KIN.get(found["of"].lower(), "other")
            yield Statement(PERSON, kin, found["value"], start=start, end=start + len(found["value"]))
    for found in of_kin.DIED.finditer(text[sentence.start : end]):
        if values.is_name(found["value"]) or text.islower():
            start = found.start() + sentence.start
            yield Statement(PERSON, "pet", found["value"], Kind.ENDED, start=start, end=start + len(found[0]))


def _dated(said: Statement, sentence: Sentence, said_at: datetime) -> Statement:
    """Return a statement with the time since when, or until when, that its sentence names."""
    words = sentence.text[sentence.start : sentence.end]
    if said.attribute == "plan":
        ahead = [each.span for each in find_dates(words, said_at, ahead=True) if each.span.last >= said_at.date()]
        return replace(said, until=_midnight(ahead[0].last + timedelta(days=1), said_at)) if ahead else said
    if said.day or said.kind is Kind.HELD or not BEGINS.search(words):
        return said
    spans = [each.span for each in find_dates(words, said_at, ahead=False)]
    at = next((_midnight(span.first, said_at) for span in spans if _is_past(span, said_at)), None)
    if at is None:
        return said
    return replace(said, until=at) if said.kind is Kind.ENDED else replace(said, since=at)


def _is_past(span: Span, said_at: datetime) -> bool:
    return span.first <= said_at.date() and span.first.year > said_at.year - 100


def _day_to_come(sentence: Sentence, at: int, said_at: datetime) -> date | None:
    """Return the first day that is named behind an offset, if it is to come."""
    for each in find_dates(sentence.text[at - 3 : sentence.end], said_at, ahead=True):
        if each.span.precision == "day" and each.span.first >= said_at.date():
            return each.span.first
    return None


def _midnight(day: date, said_at: datetime) -> datetime:
    return datetime.combine(day, time(), said_at.tzinfo)


def _without_repeats(found: list[Statement]) -> list[Statement]:
    """Return each once: a frame and a wider one may read the same."""
    kept: dict[tuple[str, str, bool, date | None], Statement] = {}
    for each in found:
        kept.setdefault((each.attribute, each.key, each.kind in (Kind.ENDED, Kind.HELD), each.day), each)
    return list(kept.values())
