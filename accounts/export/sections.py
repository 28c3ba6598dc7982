"""What an export is made of: sections, which each app adds for the rows that are its own.

An app calls `add` in its AppConfig.ready(); so the layers below export without knowing those above. Sections come in
the order in which they were added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from vibe.core.crypto.vault import Vault

Line = dict[str, Any]  # what json can write; its "type" begins with "vibe."
PAGE = 500  # rows that a section reads at a time
PREFIX = "vibe."


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, opened, of how many rows, and where to go on; None at the end."""

    lines: Sequence[Line] = field(repr=False)
    rows: int
    after: Any = None


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of rows. Both functions run inside as_user(user_id), each page in a transaction of its own.

    `count` says how many rows there are, for the percentage; `read` gives the page that follows `after`, which is None
    at the start and then what the page before gave. A page may be empty and have a next one.
    """

    name: str
    count: Callable[[UUID], int]
    read: Callable[[UUID, Vault, Any], Page]


SECTIONS: list[Section] = []


def add(section: Section) -> None:
    """Let a section be part of every export. Adding one of the same name again changes nothing."""
    if section.name not in {known.name for known in SECTIONS}:
        SECTIONS.append(section)


def rows_after(rows: Any, after: UUID | None, line: Callable[[Any], Line]) -> Page:
    """A page of a queryset of one person's rows, in the order of their ids."""
    found = list((rows.filter(pk__gt=after) if after else rows).order_by("pk")[:PAGE])
    return Page([line(row) for row in found], len(found), found[-1].pk if len(found) == PAGE else None)
