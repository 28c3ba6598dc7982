"""What was found out, and whether it is well: plain values, for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """How something is, from good to bad. UNKNOWN: it could not be seen."""

    OK = 0
    UNKNOWN = 1
    WATCH = 2
    BAD = 3

    def __str__(self) -> str:
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was looked at. `advice` says what to do, where something is to be done.

    `number` is the same as `value`, as a number in its base unit (seconds, bytes, a share of 1), where there is one.
    """

    name: str
    value: str
    verdict: Verdict = Verdict.OK
    advice: str = ""
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """What belongs together. `about` says what it shows, and what to do when it is bad."""

    title: str
    about: str
    readings: tuple[Reading, ...] = ()
    empty: str = "Nothing to show."

    @property
    def verdict(self) -> Verdict:
        """That of the worst reading."""
        return max((reading.verdict for reading in self.readings), default=Verdict.OK)


def verdict_of(number: float, *, watch: float, bad: float) -> Verdict:
    """The verdict of a number that should be small; where `watch` is above `bad`, of one that should be large."""
    if watch > bad:
        number, watch, bad = -number, -watch, -bad
    return Verdict.BAD if number >= bad else Verdict.WATCH if number >= watch else Verdict.OK
