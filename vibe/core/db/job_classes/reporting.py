"""The state of each class of work (workers, slots, what waits, why it has stopped or is late), and what has failed.

Also what tasks do, in words, and when those that run by themselves run next.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import getdoc
from typing import Any, Final

from django.db import connection
from procrastinate.contrib.django import app

from vibe.core.db.job_classes.classes import CLASSES
from vibe.core.db.job_classes.failures import code_in_words

ALIVE_SECONDS: Final = 20  # a worker sends a heartbeat every five
STATE: Final = """
SELECT class.queue, coalesce(worker.count, 0), coalesce(worker.slots, 0), worker.age,
       coalesce(job.waiting, 0), coalesce(job.running, 0), coalesce(job.failed, 0),
       greatest(extract(epoch FROM now() - least(job.due, (
           SELECT min(at) FROM procrastinate_events event WHERE event.job_id = job.first)))::float, 0),
       failure.task, failure.code, failure.at
FROM unnest(%s::text[]) WITH ORDINALITY AS class (queue, number)
LEFT JOIN (
    SELECT queue, count(*) FILTER (WHERE alive), (sum(slots) FILTER (WHERE alive))::int AS slots, min(age) AS age
    FROM (SELECT ours.queue, ours.slots, extract(epoch FROM now() - theirs.last_heartbeat)::float AS age,
                 theirs.last_heartbeat > now() - make_interval(secs => %s) AS alive
          FROM job_workers ours JOIN procrastinate_workers theirs ON theirs.id = ours.worker_id) each_worker
    GROUP BY 1
) worker USING (queue)
LEFT JOIN (
    SELECT queue_name AS queue, count(*) FILTER (WHERE status = 'todo') AS waiting,
           count(*) FILTER (WHERE status = 'doing') AS running, count(*) FILTER (WHERE status = 'failed') AS failed,
           min(scheduled_at) FILTER (WHERE status = 'todo' AND scheduled_at <= now()) AS due,
           min(id) FILTER (WHERE status = 'todo' AND scheduled_at IS NULL) AS first
    FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed') GROUP BY 1
) job USING (queue)
LEFT JOIN job_failures failure USING (queue)
ORDER BY class.number
"""
# The table of jobs holds what is not done, and no more.
FAILED: Final = """
SELECT task_name, coalesce(error.code, ''), count(*), max(error.at)
FROM procrastinate_jobs job LEFT JOIN job_errors error ON error.job_id = job.id
WHERE status = 'failed' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class FailedJobs:
    """The failed jobs of one task for one reason. `at` is when the last of them failed, where that was noted."""

    task: str
    code: str
    count: int
    at: datetime | None

    @property
    def why(self) -> str:
        """Return the reason in words."""
        return code_in_words(self.code)


@dataclass(frozen=True, slots=True)
class ClassState:
    """The state of one class now. `waits` is the age in seconds of the oldest job that is due."""

    name: str
    workers: int
    slots: int
    heartbeat_age: float | None
    waiting: int
    running: int
    failed: int
    waits: float | None
    failed_task: str | None
    failure: str | None
    failed_at: datetime | None

    @property
    def is_late(self) -> bool:
        """Return whether a job of it has been due for too long."""
        return (self.waits or 0) > CLASSES[self.name].late_seconds

    @property
    def why(self) -> str:
        """Return why it has stopped or is late, or an empty string if neither."""
        reasons = []
        if not self.workers:
            reasons.append("no worker is running")
        if self.is_late:
            reasons.append(f"the oldest job that is due waits {self.waits:.0f} s")
        if reasons and self.failure:
            reasons.append(f"the last failure was {self.failure} of {self.failed_task}")
        return ", ".join(reasons)


def statement() -> tuple[str, tuple[Any, ...]]:
    """Return the statement that reads the state of every class, and its values."""
    return STATE, (list(CLASSES), ALIVE_SECONDS)


def states(rows: Iterable[tuple[Any, ...]]) -> list[ClassState]:
    """Return the states in rows of the statement."""
    return [ClassState(*row) for row in rows]


def read_states() -> list[ClassState]:
    """Read the state of every class, in a scope that may see jobs."""
    with connection.cursor() as cursor:
        cursor.execute(*statement())
        return states(cursor.fetchall())


def task_in_words(name: str) -> str:
    """Return what a task does: the first sentence of its docstring; its name, where there is none."""
    task = app.tasks.get(name)
    return ((getdoc(task.func) or "") if task else "").partition(".")[0].partition("\n")[0] or name


def next_runs(now: datetime) -> list[tuple[str, datetime]]:
    """Return each periodic task with the time of its next run, the next first."""
    every = app.periodic_registry.periodic_tasks.values()
    found = [(each.task.name, copy(each.croniter).get_next(datetime, now).astimezone(UTC)) for each in every]
    return sorted(found, key=lambda run: (run[1], run[0]))
