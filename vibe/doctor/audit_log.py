"""Checks that the audit log is sealed in time and that its checkpoints can be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from audit.errors import SigningKeyUnknown
from audit.proof import checkpoint_store
from audit.proof.keys import trail_keys
from audit.sealing import witness
from vibe.core.db.scopes import as_system
from vibe.doctor.findings import Finding, error, warning
from vibe.metrics import figures

LATE_SECONDS = 120.0
LOST_SECONDS = 3600.0


def sealing() -> Iterator[Finding]:
    age, count = figures.unsealed()
    if age > LATE_SECONDS:
        found = error if age > LOST_SECONDS else warning
        yield found(
            f"{count} rows of the audit trail are not sealed; the oldest is {age:.0f} seconds old.",
            why="Until then, somebody with rights over the database could change them unseen.",
            do="manage.py seal_audit (and see that a worker of the class audit is running)",
        )


def signing_key() -> Iterator[Finding]:
    """Check that the key of the newest checkpoint is configured."""
    try:
        with as_system():
            checkpoint_store.require_known_key(trail_keys().ring)
    except SigningKeyUnknown as problem:
        yield error(
            str(problem),
            why="Nothing is sealed and nothing can be proved while it is missing.",
            do="Follow the message: docs/audit.md#rotate-the-signing-key",
        )


def checkpoints() -> Iterator[Finding]:
    """Check that the checkpoint file is writable."""
    file = witness.configured_file(settings.AUDIT_CHECKPOINT_FILE)
    if file is None:
        return
    place = file.path if file.path.exists() else existing_parent(file.path)
    if not os.access(place, os.W_OK):
        yield error(
            f"{place} cannot be written to by this user.",
            why="Checkpoints outside the database show that the end of the trail was cut off.",
            do="Let the worker's user write there, or set AUDIT_CHECKPOINT_FILE",
        )


def existing_parent(path: Path) -> Path:
    """Return the nearest parent folder that exists."""
    return next(parent for parent in path.parents if parent.exists())
