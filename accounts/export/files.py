"""Storage of the sealed export files: one file for each export, named by its id."""

from __future__ import annotations

from uuid import UUID

from vibe.core import file_storage

SEALED = ".sealed"


def stored() -> file_storage.Files:
    """Return the files of exports."""
    return file_storage.files("exports", "EXPORT_DIR")


def name_of(export_id: UUID) -> str:
    """Return the name of the complete file of an export."""
    return f"{export_id}{SEALED}"


def remove(export_id: UUID) -> int:
    """Remove the files of an export, drafts included. Return how many."""
    return stored().remove(f"{export_id}.")


def ids_there() -> set[UUID]:
    """Return the ids of the exports that have a complete file."""
    return {UUID(name.removesuffix(SEALED)) for name in stored().sizes() if name.endswith(SEALED)}
