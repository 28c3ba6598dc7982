"""Findings of a check: the fact, why it matters, and what to type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

SHOWN: Final = 3


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
    kind: str = ""
    """What findings of one cause have in common, which are then shown as one."""


Check = Callable[[], Iterator[Finding]]


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings as they are shown: those of one kind as one, with the first SHOWN of them."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.severity, each.why, each.kind or each.what), []).append(each)
    return [_together(group) for group in groups.values()]


def _together(group: list[Finding]) -> Finding:
    """Return several findings of one kind as one."""
    first, left = group[0], len(group) - SHOWN
    if len(group) == 1:
        return first
    what, do = (list(dict.fromkeys(texts)) for texts in ([each.what for each in group], [each.do for each in group]))
    more = f" And {left} more of this kind." if left > 0 else ""
    all_of_them = "\n(all of it: manage.py doctor --json)" if len(do) > SHOWN else ""
    return replace(first, what=" ".join(what[:SHOWN]) + more, do="\n".join(do[:SHOWN]) + all_of_them)


def note(what: str, *, why: str, do: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(Severity.NOTE, what, why, do)


def warning(what: str, *, why: str, do: str) -> Finding:
    """Return a finding that needs attention."""
    return Finding(Severity.WARNING, what, why, do)


def error(what: str, *, why: str, do: str) -> Finding:
    """Return a finding that is broken or unsafe."""
    return Finding(Severity.ERROR, what, why, do)
