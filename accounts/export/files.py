"""Storage of the sealed export files: one folder, one file for each export, named by its id."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.conf import settings

SEALED = ".sealed"


def path_of(export_id: UUID) -> Path:
    """Return the path of the complete file of an export."""
    return Path(settings.EXPORT_DIR, f"{export_id}{SEALED}")


def remove(export_id: UUID) -> int:
    """Remove the files of an export, drafts included. Return how many."""
    found = list(Path(settings.EXPORT_DIR).glob(f"{export_id}.*"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def ids_there() -> set[UUID]:
    """Return the ids of the exports that have a complete file."""
    return {UUID(path.stem) for path in Path(settings.EXPORT_DIR).glob(f"*{SEALED}")}
