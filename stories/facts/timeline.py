"""From statements, in the order in which they were made, to facts with their times.

Nothing is worked out before it is asked for: a memory that is added late, changed or deleted changes what follows from
it, and nothing has to be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from stories.facts.attributes import DATED, GIVEN_UP, OPPOSITE, SINGLE
from stories.facts.statements import Kind, Statement

OWN_WORD = (Kind.CORRECTED, Kind.FORGOTTEN)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Source(NamedTuple):
    """Where a statement was made: in a memory, or by the person as a correction."""

    statement_id: UUID
    said_at: datetime
    memory_id: UUID | None
    conversation_id: UUID | None
    role: str
    start: int
    end: int
    processor: str


@dataclass(slots=True)
class Stated:
    """A statement with its source."""

    source: Source
    statement: Statement = field(repr=False)
    token_of: Callable[[Statement], int] = field(repr=False)

    @property
    def token(self) -> int:
        """The blind token that a correction names it by, worked out when it is wanted."""
        return self.token_of(self.statement)


@dataclass(slots=True)
class Fact:
    """What holds or held of a subject. It does not print what.

    `id` is that of the statement it was learned by, and stays when it is corrected. `sources` are all that say so. It
    held from `valid_from`, None if nobody said since when, until `valid_to`, None if it still does.
    """

    id: UUID
    subject: str = field(repr=False)
    attribute: str = field(repr=False)
    value: str = field(repr=False)
    valid_from: datetime | None
    valid_to: datetime | None
    day: date | None
    learned_at: datetime
    corrected: bool
    sources: list[Source]
    stated: list[Stated] = field(repr=False)
    """What is to be replaced when it is corrected."""
    key: str = field(repr=False)
    """The value as it is compared."""
    memories: frozenset[str] = frozenset()
    """Where that was said which the person corrected."""
    superseded_by: UUID | None = None
    ended_in: UUID | None = None
    """The memory that said so, or said what holds instead."""

    @property
    def begins(self) -> datetime:
        """From when on it is known to hold."""
        return self.valid_from or (self.learned_at if self.valid_to is None else min(self.learned_at, self.valid_to))

    def holds_at(self, at: datetime) -> bool:
        """Return whether it is known to hold at a moment."""
        return self.begins <= at and (self.valid_to is None or at < self.valid_to)

    @property
    def said_in(self) -> set[str]:
        """The ids of the memories that it was read in, and of those that a correction of it replaces."""
        return {str(source.memory_id) for source in self.sources if source.memory_id} | self.memories

    @property
    def tokens(self) -> set[int]:
        """The blind tokens of all that says so, and of what a correction of it replaced."""
        return {each.token for each in self.stated}.union(*(each.statement.instead_of for each in self.stated))


def facts_of(stated: Iterable[Stated]) -> list[Fact]:
    """Return all facts that follow from statements, the ended ones too, in the order in which they were learned."""
    known = sorted(stated, key=lambda each: (each.source.said_at, each.source.start, each.source.statement_id))
    hidden = hidden_until(known)
    timeline = _Timeline()
    for each in known:
        if not hidden or each.statement.kind in OWN_WORD or each.source.said_at > hidden.get(each.token, LONG_AGO):
            timeline.add(each)
    return timeline.facts


def hidden_until(stated: Iterable[Stated]) -> Mapping[int, datetime]:
    """Return by token until when statements do not count, since the person corrected or forgot them."""
    hidden: dict[int, datetime] = {}
    for each in stated:
        if each.statement.kind in OWN_WORD:
            hidden.update(dict.fromkeys(each.statement.instead_of, each.source.said_at))
    return hidden


class _Timeline:
    """Facts so far, and those that hold, by subject, attribute and kind."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.current: dict[tuple[str, str, str], list[Fact]] = {}

    def add(self, stated: Stated) -> None:
        """Let a statement follow those before."""
        said = stated.statement
        if said.kind in (Kind.HOLDS, Kind.CORRECTED):
            self._holds(stated)
        elif said.kind is Kind.FORGOTTEN:
            if said.attribute in SINGLE:  # what was before it does not hold again
                self._close(stated, self._of(said), said.since or stated.source.said_at)
        elif said.kind is Kind.MOVED:
            self._moved(stated)
        else:
            self._ended(stated)

    def _of(self, said: Statement | Fact, attribute: str = "") -> list[Fact]:
        """Return what holds beside or instead of it: of favourites, those of its kind ("colour: green")."""
        attribute = attribute or said.attribute
        kind = said.value.partition(":")[0].lower() if attribute == "favorite" else ""
        return self.current.setdefault((said.subject, attribute, kind), [])

    def _holds(self, stated: Stated) -> None:
        said, now = stated.statement, self._of(stated.statement)
        key = said.key
        same = next((fact for fact in now if _same(fact, said, key)), None)
        if same:
            self._support(same, stated)
            return
        fact = self._new(stated, said.value, key)
        if opposite := OPPOSITE.get(said.attribute):
            self._close(stated, [each for each in self._of(said, opposite) if each.key == key], fact.begins)
        over = fact.valid_to is not None and said.attribute not in DATED
        before = list(now) if said.attribute in SINGLE else []
        later = next((each for each in before if each.begins > fact.begins), None)
        if later and not over:
            fact.valid_to, fact.superseded_by = later.begins, later.id
        elif not later:
            self._close(stated, before, fact.begins, by=fact.id)
            now += [] if over else [fact]

    def _support(self, fact: Fact, stated: Stated) -> None:
        """Note another statement of the same. The fuller value stays, and the first time that was said."""
        said = stated.statement
        fact.sources.append(stated.source)
        fact.stated.append(stated)
        if len(said.value) > len(fact.value):
            fact.value, fact.key = said.value, said.key
        fact.valid_from = fact.valid_from or said.since
        if said.kind is Kind.CORRECTED:
            fact.id, fact.corrected = UUID(said.of), True
            fact.memories |= {*said.memories}
        if said.until:
            self._close(stated, [fact], said.until)

    def _ended(self, stated: Stated) -> None:
        said, at = stated.statement, stated.statement.until or stated.source.said_at
        known = self._of(said) if said.attribute != "other" else self._given_up(said.subject)
        key = said.key
        found = [
            fact
            for fact in known
            if not said.value or covers(fact.key, key) or (len(key) > 4 and fact.key.endswith(key))
        ]
        if said.attribute == "pet" and not said.value and len(found) > 1:
            return  # nobody knows which
        if found:
            for fact in found:
                fact.sources.append(stated.source)
                if said.value:
                    fact.stated.append(stated)
            self._close(stated, found, at)
        elif said.kind is Kind.HELD:
            self._new(stated, said.value, key).valid_to = at

    def _given_up(self, subject: str) -> list[Fact]:
        """Return what one gives up, sells or loses, whatever it is."""
        return [
            fact for slot, facts in self.current.items() if slot[0] == subject and slot[1] in GIVEN_UP for fact in facts
        ]

    def _moved(self, stated: Stated) -> None:
        said, at = stated.statement, stated.source.said_at
        attributes = dict.fromkeys((said.attribute, *(sorted(DATED) if said.value else ())))
        known = [fact for attribute in attributes for fact in self._of(said, attribute)]
        ahead = [fact for fact in known if fact.valid_to is None or fact.valid_to > at]
        for fact in reversed([each for each in ahead if covers(each.key, said.key)]):
            moved = self._new(stated, fact.value, fact.key)
            moved.attribute = fact.attribute
            self._close(stated, [fact], at, by=moved.id)
            self._of(moved).append(moved)
            return

    def _new(self, stated: Stated, value: str, key: str) -> Fact:
        said, source = stated.statement, stated.source
        fact = Fact(
            id=UUID(said.of) if said.of else source.statement_id,
            subject=said.subject,
            attribute=said.attribute,
            value=value,
            valid_from=said.since,
            valid_to=said.until,
            day=said.day,
            learned_at=source.said_at,
            corrected=said.kind is Kind.CORRECTED,
            sources=[source],
            stated=[stated],
            key=key,
            memories=frozenset(said.memories),
        )
        self.facts.append(fact)
        return fact

    def _close(self, stated: Stated, facts: Iterable[Fact], at: datetime, by: UUID | None = None) -> None:
        """End facts at a moment, though not before they are known to hold."""
        for fact in facts:
            now = self._of(fact)
            at = max(at, fact.valid_from or at)
            if fact.valid_to is None or at < fact.valid_to:
                fact.valid_to, fact.superseded_by, fact.ended_in = at, by, stated.source.memory_id
            if fact in now:
                now.remove(fact)


def _same(fact: Fact, said: Statement, key: str) -> bool:
    """Return whether a statement says the fact again: of one that has a single value, more fully or less too."""
    if fact.day != said.day:
        return False
    return fact.key == key or (said.attribute in SINGLE and (covers(fact.key, key) or covers(key, fact.key)))


def covers(whole: str, part: str) -> bool:
    """Return whether each word of a value is in another."""
    return {*part.split()} <= {*whole.replace(",", " ").split()}
