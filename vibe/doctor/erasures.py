"""Check that erased people stay erased, also after a restore of an older backup; and count who is restricted."""

from __future__ import annotations

from collections.abc import Iterator

from accounts.erasure.services import unfinished_erasures
from vibe.doctor.findings import Finding, error, note
from vibe.metrics import figures


def people() -> Iterator[Finding]:
    if back := unfinished_erasures():
        yield error(
            f"{len(back)} people who were erased are in the database.",
            why="They were promised to be gone; a backup from before brings them back.",
            do="manage.py erase_again",
        )


def restricted() -> Iterator[Finding]:
    [(_, count)] = figures.restricted()
    if count:
        yield note(
            f"Processing is restricted for {count:.0f} people.",
            why="What they say is not added, searched or built until support lifts that.",
            do="Nothing, unless one was forgotten: the admin's list of people is narrowed by processing restricted.",
        )
