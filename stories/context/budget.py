"""What goes into a context of a certain length, and how long a piece may be: shares, and what they leave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, get_args
from uuid import UUID

from stories.context.snippets import Sentences, snippet, weights_of
from vibe.core.errors import InputError

Part = Literal["instructions", "facts", "upcoming", "passages", "episodes", "turns"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
"""In the order in which they stand in a context."""

TOKENS: Final = 1_500
LARGEST: Final = 1_000_000
BYTES_A_TOKEN: Final = 4
"""Of UTF-8. An estimate: no two models cut texts alike."""
MESSAGE_BYTES: Final = 16
"""What a chat message counts beside its content, which models wrap."""
SHARES: Final = (
    (("instructions", "facts", "upcoming"), 0.20),
    (("turns",), 0.25),
    (("passages",), 0.45),
    (("episodes",), 0.10),
)
LONGEST_PIECE: Final[Mapping[Part, float]] = {"passages": 0.04, "turns": 0.12, "episodes": 0.05}
"""The share of the whole that one piece takes at most, before what is left at the end is given out."""
BEST: Final = 3
"""So many passages may be twice as long."""
LONG_ENOUGH: Final = 240
"""What a piece may take whatever the budget, in the unit of the budget."""
TOO_SHORT: Final = 40
"""Less than this of a text says nothing."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a context may be: so many tokens, by estimate; or so many characters, exactly, if they are given."""

    tokens: int = TOKENS
    characters: int | None = None

    def __post_init__(self) -> None:
        if not all(1 <= each <= LARGEST for each in (self.tokens, self.characters) if each is not None):
            raise InputError(f"A context has from 1 to {LARGEST:,} tokens or characters. Ask for as many.")

    @property
    def total(self) -> int:
        """The length in the unit of `size`."""
        return self.tokens * BYTES_A_TOKEN if self.characters is None else self.characters

    def size(self, text: str) -> int:
        """Return what a text takes of the total."""
        return len(text.encode()) if self.characters is None else len(text)

    @property
    def message(self) -> int:
        """What a chat message takes beside its content."""
        return MESSAGE_BYTES if self.characters is None else 0


def count_tokens(texts: Iterable[str], messages: int = 0) -> int:
    """Return how many tokens texts are by estimate, if so many chat messages are made of them."""
    return -(-(sum(len(text.encode()) for text in texts) + messages * MESSAGE_BYTES) // BYTES_A_TOKEN)


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that a context may show: its text, or the sentences of it that bear on the message."""

    part: Part
    id: UUID
    text: str = field(repr=False)
    author: str = field(default="", repr=False)
    """Who said it; of an episode its title."""
    role: str = ""
    occurred_at: datetime | None = None
    """At the offset at which it was said, where that is known."""
    memories: frozenset[UUID] = frozenset()
    """What it says: copies of one statement, or what an episode is made of."""
    sentences: Callable[[], Sentences] | None = field(default=None, repr=False, compare=False)
    """Gives the sentences of a text that may be cut; most never are."""
    cut: str | None = field(default=None, repr=False)
    """What is shown of a text that was cut."""

    @property
    def shown(self) -> str:
        """What is shown of the text."""
        return self.text if self.cut is None else self.cut

    @property
    def said(self) -> frozenset[UUID]:
        """The memories whose own words it shows."""
        return self.memories if self.part in ("passages", "turns") else frozenset()

    def is_shown_by(self, memories: Collection[UUID]) -> bool:
        """Return whether it would say again what these say: one of its copies, or all of an episode."""
        if self.said:
            return not self.said.isdisjoint(memories)
        return bool(self.memories) and self.memories.issubset(memories)


class Allotment:
    """The pieces that were taken of a budget, and what is left of it.

    `cost` is what a piece takes as it is shown, `heads` what a part takes beside its pieces.
    """

    def __init__(self, budget: Budget, total: int, cost: Callable[[Piece], int], heads: Mapping[Part, int]) -> None:
        self.size, self.total, self.cost, self.heads = budget.size, total, cost, dict(heads)
        self.taken: list[Piece] = []
        self.left = total
        self.passages: list[Piece] = []

    def share_out(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Take pieces, given best first within each part, by the shares of the parts, then from what these leave."""
        self.passages = [each for each in pieces if each.part == "passages"]
        over: list[tuple[float, list[Piece]]] = []
        for parts, share in SHARES:
            group = [each for part in parts for each in pieces if each.part == part]
            over.append((share, self._take(group, int(share * self.total))))
        for _, group in sorted(over, key=lambda each: -each[0]):
            self._take(group, self.left)
        for at, piece in enumerate(self.taken):  # those that were cut have what is left
            if piece.cut is not None and (longer := self._fitted(piece, self.left + self.cost(piece))):
                self.left += self.cost(piece) - self.cost(longer)
                self.taken[at] = longer
        return self.taken

    def _take(self, pieces: Sequence[Piece], room: int) -> list[Piece]:
        """Take pieces while there is room, and return those that found none. Of turns none is passed over."""
        over: list[Piece] = []
        room = min(room, self.left)
        there = {each for piece in self.taken for each in piece.said}
        for piece in pieces:
            if piece.is_shown_by(there):
                continue
            is_best = piece.part == "passages" and sum(each.part == "passages" for each in self.taken) < BEST
            longest = max(int(LONGEST_PIECE.get(piece.part, 1.0) * self.total), LONG_ENOUGH) * (1 + is_best)
            most = min(room - self.heads.get(piece.part, 0), longest)
            no_more = most < TOO_SHORT or (over and piece.part == "turns")
            fitted = None if no_more else self._fitted(piece, most)
            if fitted is None:
                over.append(piece)
                continue
            needs = self.cost(fitted) + self.heads.pop(piece.part, 0)
            self.taken.append(fitted)
            there |= fitted.said
            room -= needs
            self.left -= needs
        return over

    def _fitted(self, piece: Piece, most: int) -> Piece | None:
        """Return a piece as it is shown in a length, cut if it is longer; None if too little of it would be left."""
        whole = replace(piece, cut=None) if piece.cut is not None else piece
        if self.cost(whole) <= most:
            return whole
        if piece.sentences is None or (room := most - self.cost(replace(piece, cut=""))) < TOO_SHORT:
            return None
        cut = snippet(piece.sentences(), self._weight, room, self.size)
        return replace(piece, cut=cut) if cut else None

    @cached_property
    def _weight(self) -> Callable[[str], float]:
        """What each word counts in snippets, by how few sentences of what was found have it."""
        return weights_of(each.sentences() for each in self.passages if each.sentences)
