"""Checks of what runs by itself: jobs, the sealing of the audit log, backups, and erasing again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from accounts.erasure.services import unfinished_erasures
from audit.errors import SigningKeyUnknown
from audit.proof import checkpoint_store
from audit.proof.keys import trail_keys
from audit.sealing import witness
from vibe.core.db.job_classes.classes import CLASSES, slots
from vibe.core.db.job_classes.reporting import ALIVE_SECONDS
from vibe.core.db.scopes import as_system
from vibe.doctor.findings import Finding, error, note, warning
from vibe.metrics import figures
from vibe.serving.readiness import job_states

STUCK = """
SELECT count(*) FILTER (WHERE status = 'doing' AND NOT EXISTS (
           SELECT FROM procrastinate_workers w WHERE w.id = j.worker_id
           AND w.last_heartbeat > now() - make_interval(secs => %(alive)s))),
       count(*) FILTER (WHERE status = 'failed')
FROM procrastinate_jobs j WHERE status IN ('doing', 'failed')
"""

UNBUILT = "SELECT count(*) FROM stories WHERE due_at IS NOT NULL AND failure <> ''"

LATE_SECONDS = 120.0
LOST_SECONDS = 3600.0


def worker() -> Iterator[Finding]:
    """Report each class of work that no running worker does; if it is so with all, once."""
    states = job_states()
    stopped = [state for state in states if not state.workers]
    if stopped == states:
        yield error(
            "No worker is running.",
            why=f"No jobs are done: {'; '.join(each.work for each in CLASSES.values())}.",
            do="manage.py worker (or: manage.py serve --worker)",
        )
        return
    for state in stopped:
        yield error(
            f"The class of work {state.name} has stopped: {state.why}.",
            why=f"Its jobs are not done: {CLASSES[state.name].work}.",
            do=f"manage.py worker --classes {state.name}",
        )


def late() -> Iterator[Finding]:
    """Report each class of work that has a worker and is late all the same."""
    for state in job_states():
        if state.workers and state.is_late:
            yield warning(
                f"The class of work {state.name} is late: {state.why}. {state.running} run, {state.waiting} wait.",
                why=f"Its {state.slots} slots are too few, or held by something long: {CLASSES[state.name].work}.",
                do=f"manage.py worker --classes {state.name}, beside those there are; or raise {state.name}="
                f"{slots()[state.name]} in WORKER_SLOTS",
            )


def stuck() -> Iterator[Finding]:
    """Report jobs of dead workers, failed jobs, and stories that could not be built."""
    with as_system():
        [(lost, failed)] = figures.rows(STUCK, {"alive": ALIVE_SECONDS})
        [(unbuilt,)] = figures.rows(UNBUILT)
    if lost:
        yield warning(
            f"{lost} jobs belong to workers that are gone.",
            why="A worker that lives takes them up within two minutes; without one they wait.",
            do="manage.py worker",
        )
    if failed:
        yield warning(
            f"{failed} jobs have failed for good.",
            why="What they were to do is not done.",
            do="manage.py procrastinate shell, then: list_jobs status=failed, and: retry ID",
        )
    if unbuilt:
        yield warning(
            f"{unbuilt} stories could not be built, and are tried again.",
            why="They have no title and summary, or those of before. Their messages are found all the same.",
            do="Look at the list of stories in the admin, last build: Failed. The page of each says why.",
        )


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


def ages() -> Iterator[Finding]:
    """Compare the ages of the last backup and of the last drill with BACKUP_HOURS and DRILL_DAYS; 0 is no check."""
    if settings.DEBUG:
        return
    for done, most, named, do in (
        (figures.backup_age(), settings.BACKUP_HOURS * 3600, "backup was taken", "manage.py backup FILE"),
        (figures.drill_age(), settings.DRILL_DAYS * 86_400, "drill passed", "manage.py restore --drill FILE"),
    ):
        age = done[0][1] if done else None
        if most and (age is None or age > most):
            said = f"The last {named} {age / 3600:,.0f} hours ago." if age is not None else f"No {named} yet."
            yield warning(
                said,
                why="What is lost is all since then; and a backup that was never restored is a hope.",
                do=f"{do}: docs/backup.md. Where something else backs up, set BACKUP_HOURS=0 and DRILL_DAYS=0",
            )


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
