"""What is sealed of one fact as it was stated once, as a JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Self

from memories.roles import Role
from vibe.core.folding import fold

BY_RULES: Final = "offline/1"
"""The processor whose rules these are: stories.facts.offline."""
PERSON: Final = ""
"""The subject of what is said of the person whose memory it is. Another subject is the name of a speaker."""
_ARTICLES: Final = frozenset({"a", "an", "the", "my", "our", "some"})


class Kind(StrEnum):
    """What a statement says of a value."""

    HOLDS = "holds"
    HELD = "held"
    """It held once, and does not any more."""
    ENDED = "ended"
    """It has ended, if it is known to have held; without a value, whatever the attribute was."""
    MOVED = "moved"
    """What is to come is on another day; without a value, what was learned last."""
    CORRECTED = "corrected"
    """The person's own word: it holds, in place of those of `instead_of`."""
    FORGOTTEN = "forgotten"
    """The person's own word: those of `instead_of` are not to be known."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. It does not print.

    `since` and `until` are when it began and ended, where that was said; `day` is the day of what is to come. `start`
    and `end` are its span in the text of the memory. Of the person's own word, `of` is the id of the fact, `instead_of`
    are blind tokens of what it replaces, and `memories` are the ids of those in which that was said.
    """

    subject: str = field(repr=False)
    attribute: str = field(repr=False)
    value: str = field(repr=False)
    kind: Kind = field(default=Kind.HOLDS, repr=False)
    since: datetime | None = field(default=None, repr=False)
    until: datetime | None = field(default=None, repr=False)
    day: date | None = field(default=None, repr=False)
    start: int = field(default=0, repr=False)
    end: int = field(default=0, repr=False)
    processor: str = field(default=BY_RULES, repr=False)
    instead_of: tuple[int, ...] = field(default=(), repr=False)
    of: str = field(default="", repr=False)
    memories: tuple[str, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """The value as it is compared."""
        return value_key(self.value)

    def encode(self) -> str:
        """Return the text to be sealed, without what is empty."""
        return json.dumps(
            {each.name: _plain(value) for each in fields(self) if (value := getattr(self, each.name))},
            ensure_ascii=False,
        )

    @classmethod
    def decode_all(cls, texts: Iterable[str]) -> list[Self]:
        """Return the statements of opened texts. They are parsed as one: a context decodes hundreds."""
        return [cls(**_typed(given)) for given in json.loads(f"[{','.join(texts)}]")]


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "kind": Kind,
    "since": datetime.fromisoformat,
    "until": datetime.fromisoformat,
    "day": date.fromisoformat,
    "instead_of": tuple,
    "memories": tuple,
}
"""How a field is read that JSON has no type for."""


def value_key(value: str) -> str:
    """Return a value as it is compared: folded, without an article in front."""
    key = fold(value)
    first, _, rest = key.partition(" ")
    return rest if rest and first in _ARTICLES else key


def may_state(role: str) -> bool:
    """Return whether somebody of a role may state facts of themselves; so may one whose role is not known yet."""
    return role in ("", Role.USER, Role.OTHER)


def of_speaker(statements: Iterable[Statement], author: str, role: str) -> list[Statement]:
    """Return statements as those of their speaker: the person, or another by name. No other role states any."""
    subject = PERSON if role == Role.USER else author.strip()
    nobody = not may_state(role) or (role != Role.USER and not subject)
    return [] if nobody else [replace(each, subject=subject) for each in statements]


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was sealed of a statement with the types of its fields."""
    given.setdefault("subject", PERSON)
    given.setdefault("value", "")
    for name, value in given.items():
        if read := _READ.get(name):
            given[name] = read(value)
    return given


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return value.isoformat() if isinstance(value, date) else value
