"""Readers that restore lines of an export other than conversations. Each app adds readers for its own lines.

As with sections, an app calls `add` in its AppConfig.ready(), so that lower layers need not know higher ones.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from accounts.export.sections import Line
from audit.actors import Actor


class Reader(Protocol):
    """A function that restores one line of an archive."""

    def __call__(self, user_id: UUID, line: Line, *, actor: Actor) -> bool:
        """Restore the line for the archive's person. Return whether anything was restored.

        Existing data is kept. Raises InputError, which names fields and no value.
        """
        ...


READERS: dict[str, Reader] = {}


def add(kind: str, reader: Reader) -> None:
    """Register the reader for lines of this type."""
    READERS[kind] = reader
