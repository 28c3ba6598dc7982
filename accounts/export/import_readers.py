"""What an import takes from an export beside conversations: readers, which each app adds for lines of its own.

As with sections: an app calls `add` in its AppConfig.ready(), and the layers below import without knowing those above.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from accounts.export.sections import Line
from audit.actors import Actor

Reader = Callable[[UUID, Line, Actor], bool]
"""Brings one line back for the person whose archive it is: reader(user_id, line, actor) -> whether it did anything.

What is there already stays. Raises InputError, which names fields and no value.
"""

READERS: dict[str, Reader] = {}


def add(kind: str, reader: Reader) -> None:
    """Let lines of this type be read back."""
    READERS[kind] = reader
