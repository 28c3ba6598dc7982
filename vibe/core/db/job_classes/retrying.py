"""A worker lives on while the database is away, and stores the outcomes of its jobs once it is back.

procrastinate tries everything once. A worker ends when its heartbeat, its search for jobs or its listening fails. When
the outcome of a job cannot be stored, or the answer is lost that gives a job, the job is held for good by a worker that
lives and does not know of it, and with it every job that waits for its lock.

It also starts a periodic job for every time since the last one it knows. After the clock was set forward, or the
machine slept, those are many: a day's sleep makes 17,000 of a job that comes every five seconds, for each worker. After
the clock was set back it starts none until the clock is there again. Here the newest time counts, by whatever clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback
from procrastinate.periodic import PeriodicDeferrer, TaskAtTime
from procrastinate.worker import Worker

PAUSE_SECONDS: Final = 1.0
# Storing may have worked although its answer was lost. The job may even be in hand again, with one more attempt.
IN_HAND: Final = (
    "SELECT id FROM procrastinate_jobs WHERE id = %(id)s AND status = 'doing' "
    "AND worker_id IS NOT DISTINCT FROM %(worker_id)s AND attempts = %(attempts)s"
)
HELD: Final = """
SELECT id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker_id)s ORDER BY id
"""
Result = TypeVar("Result")


class RetryingManager(JobManager):
    """procrastinate's manager of jobs, which goes on with what a worker asks of it once the database is back."""

    def __init__(self, connector: Any) -> None:
        super().__init__(connector)
        self._given: set[tuple[int | None, int]] = set()  # jobs in hand, each with its attempt

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job and return it, or None if none is due. A worker asks for one at a time."""
        first = True

        async def once() -> Job | None:
            nonlocal first
            if not first and (job := await self._held_unknown(worker_id)):
                return job
            first = False
            return await super(RetryingManager, self).fetch_job(queues, worker_id)

        job = await retry_while_away(once)
        if job:
            self._given.add((job.id, job.attempts))
        return job

    async def _held_unknown(self, worker_id: int) -> Job | None:
        """Return a job that a worker holds without knowing: it was taken, and the answer that gave it was lost."""
        held = [Job.from_row(row) for row in await self.connector.execute_query_all_async(HELD, worker_id=worker_id)]
        return next((job for job in held if (job.id, job.attempts) not in self._given), None)

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Forget the workers that have died, and return their numbers."""
        prune = super().prune_stalled_workers
        return await retry_while_away(lambda: prune(seconds_since_heartbeat))

    async def register_worker(self) -> int:
        """Make a worker known, and return its number. One whose answer was lost is forgotten as a dead one."""
        return await retry_while_away(super().register_worker)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Say that a worker lives."""
        await retry_while_away(lambda: super(RetryingManager, self).update_heartbeat(worker_id))

    async def defer_periodic_job(self, job: Job, periodic_id: str, defer_timestamp: int) -> int | None:
        """Start a periodic job, and return its number, or None if another worker started it."""
        given = job, periodic_id, defer_timestamp
        return await retry_while_away(lambda: super(RetryingManager, self).defer_periodic_job(*given))

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Hear of new jobs until cancelled."""
        options: dict[str, Any] = {"on_notification": on_notification, "queues": queues}
        await retry_while_away(lambda: super(RetryingManager, self).listen_for_jobs(**options))

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Set a job to its final state."""
        await self._store(job, lambda: super(RetryingManager, self).finish_job(job, status, delete_job))

    async def retry_job(self, job: Job, *arguments: Any, **changes: Any) -> None:
        """Let a job be tried again."""
        await self._store(job, lambda: super(RetryingManager, self).retry_job(job, *arguments, **changes))

    async def _store(self, job: Job, store: Callable[[], Awaitable[None]]) -> None:
        first = True

        async def once() -> None:
            nonlocal first
            if first or await self._is_in_hand(job):
                first = False
                await store()

        try:
            await retry_while_away(once)
        finally:
            self._given.discard((job.id, job.attempts))

    async def _is_in_hand(self, job: Job) -> bool:
        held = {"id": job.id, "worker_id": job.worker_id, "attempts": job.attempts}
        return bool(await self.connector.execute_query_all_async(IN_HAND, **held))


async def retry_while_away(do: Callable[[], Awaitable[Result]]) -> Result:
    """Do something, again and again while the database is away. Raises ConnectorException for anything else."""
    while True:
        try:
            return await do()
        except ConnectorException as problem:
            if not isinstance(problem.__cause__, psycopg.OperationalError | psycopg.InterfaceError):
                raise
        await asyncio.sleep(PAUSE_SECONDS)


class NewestTime(PeriodicDeferrer):
    """procrastinate's starter of periodic jobs, which passes over the times that were missed but for the newest."""

    def get_previous_tasks(self, at: float) -> Iterable[TaskAtTime]:
        """Give each periodic job that is to be started at `at`, in seconds since 1970, with the time it is for.

        A time that is long over counts only if it came after the last one: a job of the night comes after a sleep, not
        again after the clock was set back.
        """
        for key, task in self.registry.periodic_tasks.items():
            newest, last = round(task.croniter.get_prev(ret_type=float, start_time=at)), self.last_defers.get(key)
            is_recent = at - newest <= self.max_delay
            if newest != last and (is_recent or (last is not None and newest > last)):
                self.last_defers[key] = newest
                yield task, newest


class ClockProofWorker(Worker):
    """procrastinate's worker, which starts periodic jobs so."""

    async def _periodic_deferrer(self) -> None:
        await NewestTime(self.app.periodic_registry, **self.app.periodic_defaults).worker()
