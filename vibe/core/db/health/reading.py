"""Health readings and their verdicts as plain values, for any way to show them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """The state of something, from good to bad. UNKNOWN: it could not be read."""

    OK = 0
    UNKNOWN = 1
    WATCH = 2
    BAD = 3

    def __str__(self) -> str:
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement. `advice` says what to do, if anything.

    `number` is `value` as a number in its base unit (seconds, bytes, a share of 1), if it has one.
    """

    name: str
    value: str
    verdict: Verdict = Verdict.OK
    advice: str = ""
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Readings that belong together. `about` explains what they show, and what to do when they are bad."""

    title: str
    about: str
    readings: tuple[Reading, ...] = ()
    empty: str = "Nothing to show."

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of the worst reading."""
        return max((reading.verdict for reading in self.readings), default=Verdict.OK)


def verdict_of(number: float, *, watch: float, bad: float) -> Verdict:
    """Return the verdict of a number that should be small; if `watch` is above `bad`, of one that should be large."""
    if watch > bad:
        number, watch, bad = -number, -watch, -bad
    return Verdict.BAD if number >= bad else Verdict.WATCH if number >= watch else Verdict.OK
