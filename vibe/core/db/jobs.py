"""Starting jobs: they go in with the change they follow, in the round trip of its next statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from procrastinate import sql
from procrastinate.jobs import Job, JobDeferrer
from procrastinate.types import JobToDefer
from psycopg.types.json import Jsonb

from vibe.core.db.scopes import as_system
from vibe.core.db.statements.connection import current_connection

START: Final = sql.queries["defer_jobs"].replace("%(jobs)s", "%s").rstrip("; \n")


def start_jobs(deferrer: JobDeferrer, *arguments: Mapping[str, str]) -> None:
    """Start a job for each set of arguments, in the system's role; inside a transaction.

    What the deferrer's own `batch_defer` does in a round trip of its own, for who wants to know their ids. The
    statement is procrastinate's; an error of it is Django's, and comes from the statement that they went with.
    """
    if arguments:
        with as_system():
            given = [job_row(deferrer.make_new_job(**each)) for each in arguments]
            current_connection().hold(START, [given])


def job_row(job: Job) -> tuple[Any, ...]:
    """A job as the statement takes it."""
    return JobToDefer(
        queue_name=job.queue,
        task_name=job.task_name,
        priority=job.priority,
        lock=job.lock,
        queueing_lock=job.queueing_lock,
        args=Jsonb(job.task_kwargs),  # type: ignore[arg-type]
        scheduled_at=job.scheduled_at,
    )
