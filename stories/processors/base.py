"""What a story processor takes and gives: plain values, no framework, nothing that prints what people said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

Precision = Literal["day", "weekend", "week", "month", "season", "year", "none"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as its author sent it; `sent_at` is aware, and its zone decides what "yesterday" means."""

    id: str
    author: str = field(repr=False)
    text: str = field(repr=False)
    sent_at: datetime

    def __post_init__(self) -> None:
        if self.sent_at.utcoffset() is None:
            raise ValueError(f"Message {self.id}: sent_at has no time zone. Give an aware datetime.")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One conversation, or a part of one, with at least one message."""

    title: str = field(repr=False)
    messages: tuple[Message, ...]
    known_people: frozenset[str] = field(default=frozenset(), repr=False)
    """Of the names in it, those that other stories of the same person have as people's; as they are written here."""
    known_places: frozenset[str] = field(default=frozenset(), repr=False)

    def __post_init__(self) -> None:
        if not self.messages:
            raise ValueError("A transcript needs at least one message. A story of nothing is not a story.")

    @property
    def participants(self) -> tuple[str, ...]:
        """The authors, each once, in the order in which they first spoke; nameless ones left out."""
        return tuple(dict.fromkeys(name for message in self.in_order() if (name := message.author.strip())))

    @property
    def began_at(self) -> datetime:
        return min(message.sent_at for message in self.messages)

    @property
    def ended_at(self) -> datetime:
        return max(message.sent_at for message in self.messages)

    def in_order(self) -> tuple[Message, ...]:
        """The messages by time; those of the same moment keep their order."""
        return tuple(sorted(self.messages, key=lambda message: message.sent_at))


@dataclass(frozen=True, slots=True)
class Event:
    """Who did (or will do) what, and when.

    `when` is the first day of the time that `precision` names: the day itself, the Saturday of a weekend, the Monday
    of a week, the first of a month, of a season (three months) or of a year. Undated: `None` and "none".
    """

    who: str = field(repr=False)
    what: str = field(repr=False)
    when: date | None
    precision: Precision
    message_id: str


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact that the speaker of a message states of themselves, and the place in its text where they say so.

    `ended` says that it is no longer so. `day` is that of an appointment, a trip or a plan.
    """

    attribute: str = field(repr=False)
    value: str = field(repr=False)
    ended: bool
    day: date | None
    message_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A story as a processor proposes it; what is stored, sealed and indexed is decided elsewhere."""

    title: str = field(repr=False)
    text: str = field(repr=False)
    people: tuple[str, ...] = field(repr=False)
    places: tuple[str, ...] = field(repr=False)
    events: tuple[Event, ...]
    occurred_from: datetime
    occurred_to: datetime
    facts: tuple[StatedFact, ...] = ()
    unfounded: int = 0
    """Facts left out, since nobody said what they are read from."""


class Processor(Protocol):
    """Makes a story of a transcript. `name` and `version` are stored with the story, to know what to build again.

    It runs in a child process, within the limits PROCESSOR_*. It is given texts and needs no database; what it prints
    or logs is dropped. An optional method `preload` is called once, before the first transcript. One that waits for a
    service rather than working itself says so by an attribute `in_process = False`: it runs in the worker, unlimited,
    and has to keep to a deadline of its own.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def compose(self, transcript: Transcript) -> Draft: ...
