"""Jobs. Their arguments are ids only: arguments are stored and logged in clear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError
from procrastinate import BaseRetryStrategy, RetryDecision, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status

from accounts.keys.errors import KeyServiceUnavailable, ProcessingRestricted
from audit.actors import Actor
from stories.building.services.build import build_due, start_due_builds
from stories.index.pending import INDEX_ADDED, INDEX_IMPORTED
from stories.index.services import index_pending, settle_graph
from stories.processors.errors import ProcessingFailed, Stopped
from vibe.core.db.job_classes.classes import AUDIT, IMPORTS, STORIES, WAITED
from vibe.core.errors import VibeError

STALLED_AFTER_SECONDS: Final = 20  # four heartbeats
MOST_STALLS: Final = 10  # a job whose worker died so often is what kills them
DATABASE_AGAIN_SECONDS: Final = 5
PROVIDER_AGAIN_SECONDS: Final = 30
# SQLSTATE classes: no connection, shut down, no disk or memory left. With none at all, the server was not reached.
CONNECTION_LOST: Final = ("08", "57P", "53")
# A worker that died while the clock was ahead would otherwise live on until the clock is there again.
CLOCK_SET_BACK: Final = (
    "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE last_heartbeat > now() + interval '1 minute'"
)
# A job is put off for a quarter of an hour at most. One that waits for longer was put off by a clock that was ahead.
PUT_OFF_TOO_LONG: Final = (
    "UPDATE procrastinate_jobs SET scheduled_at = now() "
    "WHERE status = 'todo' AND scheduled_at > now() + interval '1 hour'"
)
FAILED_AGAIN: Final = (
    "UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = NULL "
    "WHERE status = 'failed' AND task_name = ANY(%(tasks)s::varchar[]) AND attempts < %(stalled)s"
)


class JobFailed(VibeError):
    message = "A job failed; the type of the error is named, its text may hold what people said."
    code = "job-failed"
    cause = ""  # the code of what failed, where it is known


class DatabaseAway(JobFailed):
    message = "The database was not there for a job, which is no fault of the job's."
    code = "database-away"


class ProviderAway(JobFailed):
    message = "A service that gives vectors or keys was away for a job, which goes on once it is back."
    code = "provider-away"


class WorkerEnding(JobFailed):
    message = "The worker was told to stop while it worked on this; the next worker goes on."
    code = "worker-ending"


class Retry(BaseRetryStrategy):
    """Five times at growing distances; for a database or a service that is away, until it is back.

    At once after a worker's end.
    """

    growing = RetryStrategy(max_attempts=5, exponential_wait=4)

    def get_retry_decision(self, *, exception: BaseException, job: Any) -> RetryDecision | None:
        if isinstance(exception, DatabaseAway):
            return RetryDecision(retry_in={"seconds": DATABASE_AGAIN_SECONDS})
        if isinstance(exception, ProviderAway):
            return RetryDecision(retry_in={"seconds": PROVIDER_AGAIN_SECONDS})
        if isinstance(exception, WorkerEnding):
            return RetryDecision(retry_in={"seconds": 0})
        return self.growing.get_retry_decision(exception=exception, job=job)


@app.task(name=INDEX_ADDED, queue=WAITED, retry=Retry())
def index_added(user_id: str) -> None:
    """Index what a person said just now, where that takes longer than a request may."""
    index(user_id, bulk_ones=False, actor=Actor.system(INDEX_ADDED))


@app.task(name=INDEX_IMPORTED, queue=IMPORTS, retry=Retry())
def index_imported(user_id: str) -> None:
    """Index what was imported for a person."""
    index(user_id, bulk_ones=True, actor=Actor.system(INDEX_IMPORTED))


def index(user_id: str, *, bulk_ones: bool, actor: Actor) -> None:
    """Index what is pending of a person; nothing while their processing is restricted.

    Raises a JobFailed, without a text of anybody's.
    """
    with failing_by_name(f"Indexing memories of person {user_id}"), suppress(ProcessingRestricted):
        index_pending(user_id=UUID(user_id), bulk_ones=bulk_ones, actor=actor)


@app.periodic(cron="17 * * * *")
@app.task(name="stories.index_again", queue=WAITED, queueing_lock="stories.index_again", pass_context=False)
async def index_again(timestamp: int) -> None:  # noqa: ARG001
    """Try again to index what could not be indexed: what was in the way may be gone, and nothing else would."""
    tasks = [INDEX_ADDED, INDEX_IMPORTED]
    await app.connector.execute_query_async(FAILED_AGAIN, tasks=tasks, stalled=MOST_STALLS)


@app.task(name="stories.build", queue=STORIES, retry=Retry())
def build(user_id: str) -> None:
    """Build a person's stories that are due, and bring their passages to where they are searched from."""
    actor = Actor.system("stories.build")
    with failing_by_name(f"Building stories of person {user_id}"), suppress(ProcessingRestricted):
        build_due(user_id=UUID(user_id), actor=actor)
        settle_graph(user_id=UUID(user_id), actor=actor)


@contextmanager
def failing_by_name(what: str) -> Iterator[None]:
    """Raise a JobFailed of the right kind for whatever is raised inside, without its text if that is not ours.

    It is raised outside of `except`: what was caught may hold what people said, and the log would show it as the
    context.
    """
    failed: JobFailed | None = None
    try:
        yield
    except Exception as problem:
        failed = failure_of(problem, what)
    if failed:
        raise failed


def failure_of(problem: Exception, what: str) -> JobFailed:
    """Return what a job raises for a problem."""
    ours = isinstance(problem, VibeError)
    kind = JobFailed
    if isinstance(problem, Stopped):
        kind = WorkerEnding
    elif isinstance(problem, DatabaseError) and is_away(problem):
        kind = DatabaseAway
    elif isinstance(problem, KeyServiceUnavailable) or (isinstance(problem, ProcessingFailed) and problem.away):
        kind = ProviderAway
    failed = kind(f"{what} failed: {problem if ours else type(problem).__name__}")
    failed.cause = problem.code if isinstance(problem, VibeError) else type(problem).__name__
    return failed


@app.periodic(cron="* * * * * */5")
@app.task(name="stories.start_due", queue=WAITED, queueing_lock="stories.start_due", pass_context=False)
async def start_due(timestamp: int) -> None:  # noqa: ARG001
    """Start a job for each person who has a story that is due: one person after the other, one job each."""
    await sync_to_async(start_due_builds)(build)


def is_away(problem: DatabaseError) -> bool:
    """Whether the database was lost, rather than anything wrong with the statement."""
    if not isinstance(problem, OperationalError | InterfaceError):
        return False
    state: str | None = getattr(problem.__cause__, "sqlstate", None)
    return state.startswith(CONNECTION_LOST) if state else True


@app.periodic(cron="* * * * * */5")
@app.task(name="jobs.take_up_stalled", queue=AUDIT, queueing_lock="jobs.take_up_stalled", pass_context=False)
async def take_up_stalled(timestamp: int) -> None:
    """Give the jobs of workers that died to those that live; one that was there too often has failed."""
    await app.connector.execute_query_async(CLOCK_SET_BACK)
    if not timestamp % 60:  # once a minute: it reads every job that waits
        await app.connector.execute_query_async(PUT_OFF_TOO_LONG)
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        if job.attempts >= MOST_STALLS:
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)
            continue
        try:
            await app.job_manager.retry_job(job)
        except UniqueViolation:  # another of its queueing lock waits, and does what it would do
            await app.job_manager.finish_job(job, status=Status.ABORTED, delete_job=True)
