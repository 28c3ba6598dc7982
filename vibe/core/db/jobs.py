"""Jobs that start with the change they follow, in the round trip of its next statement.

procrastinate's public `batch_defer` would run in the same transaction and role, but in a round trip of its own: one
more for every memory that is added. So this module sends its statement, with two names that procrastinate does not
promise to keep: the query "defer_jobs" and the type JobToDefer. tests/test_jobs.py checks them against the installed
version, and the rows written against those of `batch_defer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from procrastinate import sql
from procrastinate.jobs import Job, JobDeferrer
from procrastinate.types import JobToDefer
from psycopg.types.json import Jsonb

from vibe.core.db.scopes import as_system
from vibe.core.db.statements.batching import current_connection

DEFER_JOBS: Final = sql.queries["defer_jobs"].replace("%(jobs)s", "%s").rstrip("; \n")


def start_jobs(deferrer: JobDeferrer, *arguments: Mapping[str, str]) -> None:
    """Start a job for each set of arguments, in the system's role, inside a transaction.

    Its errors are Django's, raised by the statement that it is sent with.
    """
    if arguments:
        with as_system():
            given = [job_row(deferrer.make_new_job(**each)) for each in arguments]
            current_connection().hold(DEFER_JOBS, [given])


def job_row(job: Job) -> tuple[Any, ...]:
    """Return a job as the parameter of the statement."""
    return JobToDefer(
        queue_name=job.queue,
        task_name=job.task_name,
        priority=job.priority,
        lock=job.lock,
        queueing_lock=job.queueing_lock,
        args=Jsonb(job.task_kwargs),  # type: ignore[arg-type]
        scheduled_at=job.scheduled_at,
    )
