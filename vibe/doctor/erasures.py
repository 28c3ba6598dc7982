"""Check that erased people stay erased, also after a restore of an older backup."""

from __future__ import annotations

from collections.abc import Iterator

from accounts.erasure.services import unfinished_erasures
from vibe.doctor.findings import Finding, error


def people() -> Iterator[Finding]:
    if back := unfinished_erasures():
        yield error(
            f"{len(back)} people who were erased are in the database.",
            why="They were promised to be gone; a backup from before brings them back.",
            do="manage.py erase_again",
        )
