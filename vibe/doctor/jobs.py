"""Checks that each class of work has a worker and that jobs are done."""

from __future__ import annotations

from collections.abc import Iterator

from vibe.core.db.job_classes.classes import CLASSES, slots
from vibe.core.db.job_classes.reporting import ALIVE_SECONDS
from vibe.core.db.scopes import as_system
from vibe.doctor.findings import Finding, error, warning
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
