"""What an import takes from an export beside conversations: readers, which each app adds for lines of its own.

As with sections: an app calls `add` in its AppConfig.ready(), and the layers below import without knowing those above.
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

        What is there already stays. Raises InputError, which names fields and no value.
        """
        ...


READERS: dict[str, Reader] = {}


def add(kind: str, reader: Reader) -> None:
    """Let lines of this type be read back."""
    READERS[kind] = reader
