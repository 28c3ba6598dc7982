"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from vibe.core.state import sync_folder

DRAFT: Final = ".part"
LEFT_BEHIND: Final = 86_400  # seconds after which a draft counts as abandoned


@contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a draft beside a path. On success it is synced to disk and renamed to the path, otherwise deleted.

    The folder is made on first use. Folder and file are accessible to their owner only.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.stem}.{secrets.token_hex(4)}{DRAFT}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        sync_folder(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def remove_drafts_left(folder: Path) -> int:
    """Remove the drafts that killed processes left in a folder. Return how many."""
    before = time.time() - LEFT_BEHIND
    old = [path for path in folder.glob(f"*{DRAFT}") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
