"""Checks that a worker is running and that jobs are done."""

from __future__ import annotations

from collections.abc import Iterator

from vibe.core.db.scopes import as_system
from vibe.doctor.findings import Finding, error, warning
from vibe.metrics import figures
from vibe.serving.readiness import ALIVE_SECONDS

LATE_MINUTES = 10
STUCK = """
SELECT count(*) FILTER (WHERE status = 'doing' AND NOT EXISTS (
           SELECT FROM procrastinate_workers w WHERE w.id = j.worker_id
           AND w.last_heartbeat > now() - make_interval(secs => %(alive)s))),
       count(*) FILTER (WHERE status = 'failed'),
       count(*) FILTER (WHERE status = 'todo' AND coalesce(scheduled_at, (
           SELECT min(at) FROM procrastinate_events e WHERE e.job_id = j.id)) < now() - make_interval(mins => %(late)s))
FROM procrastinate_jobs j WHERE status IN ('todo', 'doing', 'failed')
"""


def worker() -> Iterator[Finding]:
    ages = figures.heartbeat()
    if not ages or ages[0][1] > ALIVE_SECONDS:
        told = f"the last one told so {ages[0][1]:.0f} seconds ago" if ages else "none ever told so"
        yield error(
            f"No worker is running: {told}.",
            why="Stories are not told, and the audit trail is not sealed.",
            do="manage.py procrastinate worker (or: manage.py serve --worker)",
        )


def stuck() -> Iterator[Finding]:
    """Report jobs of dead workers, failed jobs, and overdue jobs."""
    with as_system():
        [(lost, failed, late)] = figures.rows(STUCK, {"alive": ALIVE_SECONDS, "late": LATE_MINUTES})
    if lost:
        yield warning(
            f"{lost} jobs belong to workers that are gone.",
            why="A worker that lives takes them up within two minutes; without one they wait.",
            do="manage.py procrastinate worker",
        )
    if failed:
        yield warning(
            f"{failed} jobs have failed for good.",
            why="What they were to do is not done.",
            do="manage.py procrastinate shell, then: list_jobs status=failed, and: retry ID",
        )
    if late:
        yield warning(
            f"{late} jobs have waited for more than {LATE_MINUTES} minutes.",
            why="The worker is too slow, busy with something long, or not there.",
            do="Start a second one: manage.py procrastinate worker",
        )
