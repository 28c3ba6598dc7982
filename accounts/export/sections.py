"""Sections of an export. Each app adds sections for its own rows.

An app calls `add` in its AppConfig.ready(), so that lower layers need not know higher ones. Sections keep the order in
which they were added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

Line = dict[str, Any]  # JSON-serializable; its "type" begins with "vibe."
PAGE = 500  # rows
PREFIX = "vibe."


@dataclass(frozen=True, slots=True)
class Page:
    """Decrypted lines, the number of rows they come from, and the position of the next page; None at the end."""

    lines: Sequence[Line] = field(repr=False)
    rows: int
    after: Any = None


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of rows. Both functions run inside as_user(user_id), each page in its own transaction.

    `count(user_id)` returns the number of rows, for the percentage. `read(user_id, vault, after)` returns the page that
    follows `after`: None at first, then the `after` of the previous page. An empty page may have a next one. Those of a
    section that `keeps_to_companion` take a blind token as `companion`, and then go by what was said to that companion
    alone; no other section is in an export of one companion.
    """

    name: str
    count: Callable[..., int]
    read: Callable[..., Page]
    keeps_to_companion: bool = False


SECTIONS: list[Section] = []


def add(section: Section) -> None:
    """Add a section to every export. Ignore a section whose name is already known."""
    if section.name not in {known.name for known in SECTIONS}:
        SECTIONS.append(section)


def rows_after(rows: Any, after: UUID | None, line: Callable[[Any], Line]) -> Page:
    """Return a page of a queryset of one person's rows, ordered by id."""
    found = list((rows.filter(pk__gt=after) if after else rows).order_by("pk")[:PAGE])
    return Page([line(row) for row in found], len(found), found[-1].pk if len(found) == PAGE else None)
