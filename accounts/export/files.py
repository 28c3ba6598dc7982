"""Storage of the sealed export files: one folder, one file for each export, named by its id."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import UUID

from django.conf import settings

from vibe.core.state import sync_folder

SEALED, DRAFT = ".sealed", ".part"
LEFT_BEHIND = 86_400  # seconds after which a draft counts as abandoned


def folder() -> Path:
    """Return the export folder. Create it on first use, with access for its owner only."""
    path = Path(settings.EXPORT_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(export_id: UUID) -> Path:
    """Return the path of the complete file of an export."""
    return Path(settings.EXPORT_DIR, f"{export_id}{SEALED}")


@contextmanager
def draft(export_id: UUID) -> Iterator[IO[bytes]]:
    """Open a draft to write. On success it is synced to disk and renamed to its final path, otherwise deleted."""
    path = folder() / f"{export_id}.{secrets.token_hex(4)}{DRAFT}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        path.rename(path_of(export_id))
        sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def remove(export_id: UUID) -> int:
    """Remove the files of an export, drafts included. Return how many."""
    found = list(Path(settings.EXPORT_DIR).glob(f"{export_id}.*"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def ids_there() -> set[UUID]:
    """Return the ids of the exports that have a complete file."""
    return {UUID(path.stem) for path in Path(settings.EXPORT_DIR).glob(f"*{SEALED}")}


def remove_drafts_left() -> int:
    """Remove the drafts that killed workers left. Return how many."""
    before = time.time() - LEFT_BEHIND
    old = [path for path in Path(settings.EXPORT_DIR).glob(f"*{DRAFT}") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
