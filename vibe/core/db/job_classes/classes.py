"""The classes of work. Each is a queue with slots of its own, so that none can fill another's.

Every task names its class as its queue. `manage.py worker` runs one procrastinate worker for each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings

from vibe.core.errors import ConfigurationError, InputError
from vibe.core.from_settings import from_settings

AUDIT: Final = "audit"
WAITED: Final = "waited"
STORIES: Final = "stories"
IMPORTS: Final = "imports"
WEBHOOKS: Final = "webhooks"


@dataclass(frozen=True, slots=True)
class JobClass:
    """One class of work: what it does, and after how many seconds a job of it that is due is late."""

    work: str
    late_seconds: int


CLASSES: Final = {
    AUDIT: JobClass("sealing of the audit log, its upkeep, and jobs of workers that died", 30),
    WAITED: JobClass("what a person waits for: exports, erasures, keys, indexing of long messages", 60),
    STORIES: JobClass("building of stories", 900),
    IMPORTS: JobClass("importing of uploaded files, and indexing of what was imported", 3600),
    WEBHOOKS: JobClass("sending of webhooks and mail, which waits for receivers", 300),
}


@from_settings
def slots() -> dict[str, int]:
    """Return how many jobs of each class a process does at once, from WORKER_SLOTS. Raises ConfigurationError."""
    parts = [part.partition("=") for part in settings.WORKER_SLOTS.replace(" ", "").split(",")]
    given = {name: int(number) if number.isdecimal() else 0 for name, _, number in parts}
    if given.keys() != CLASSES.keys() or len(parts) != len(given) or not all(given.values()):
        raise ConfigurationError(
            f"WORKER_SLOTS does not give each of {', '.join(CLASSES)} its slots, one at least. "
            f"Set it to such as: {','.join(f'{name}=1' for name in CLASSES)}"
        )
    return {name: given[name] for name in CLASSES}


def chosen(names: str) -> dict[str, int]:
    """Return the slots of some classes, by their names with commas between; of all, if none is named.

    Raises InputError for a class that does not exist.
    """
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := wanted - CLASSES.keys():
        raise InputError(f"{len(unknown)} of these classes do not exist. Name some of: {', '.join(CLASSES)}")
    return {name: number for name, number in slots().items() if name in wanted or not wanted}
