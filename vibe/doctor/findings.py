"""Findings of a check: the fact, why it matters, and what to type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """Severity of a finding; also the exit code of `doctor`."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem. It holds names and numbers, never content or a secret."""

    severity: Severity
    what: str
    why: str
    do: str


Check = Callable[[], Iterator[Finding]]


def note(what: str, *, why: str, do: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(Severity.NOTE, what, why, do)


def warning(what: str, *, why: str, do: str) -> Finding:
    """Return a finding that needs attention."""
    return Finding(Severity.WARNING, what, why, do)


def error(what: str, *, why: str, do: str) -> Finding:
    """Return a finding that is broken or unsafe."""
    return Finding(Severity.ERROR, what, why, do)
