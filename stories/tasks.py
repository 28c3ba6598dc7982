"""Jobs. Their arguments are ids only: arguments are stored and logged in clear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from procrastinate import BaseRetryStrategy, RetryDecision, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.jobs import Status

from audit.actors import Actor
from audit.services import FAILED, record
from stories.building.services.build import build_story
from stories.index.services import settle_graph
from stories.processors.fence.errors import Stopped
from stories.processors.openai_compatible.errors import TokensSpent
from vibe.core.db.job_classes.classes import AUDIT, STORIES
from vibe.core.db.jobs import start_jobs
from vibe.core.errors import VibeError

PRIORITY: Final = -1  # an import leaves thousands: what keeps house, or is waited for by a person, goes before them
STALLED_AFTER_SECONDS: Final = 60
MOST_STALLS: Final = 10  # a job whose worker died so often is what kills them
AGAIN_SECONDS: Final = 30
# SQLSTATE classes: no connection, shut down, no disk or memory left. With none at all, the server was not reached.
CONNECTION_LOST: Final = ("08", "57P", "53")
# A worker that died while the clock was ahead would otherwise live on until the clock is there again.
CLOCK_SET_BACK: Final = (
    "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE last_heartbeat > now() + interval '1 minute'"
)


class JobFailed(VibeError):
    message = "A job failed; the type of the error is named, its text may hold what people said."
    code = "job-failed"
    cause = ""  # the code of what failed, where it is known


class DatabaseAway(JobFailed):
    message = "The database was not there for a job, which is no fault of the job's."
    code = "database-away"


class WorkerEnding(JobFailed):
    message = "The worker was told to stop while a story was built; the next worker builds it."
    code = "worker-ending"


class Retry(BaseRetryStrategy):
    """Five times at growing distances; for a database that is away, until it is back; at once after a worker's end."""

    often = RetryStrategy(max_attempts=5, exponential_wait=4)

    def get_retry_decision(self, *, exception: BaseException, job: Any) -> RetryDecision | None:
        if isinstance(exception, DatabaseAway):
            return RetryDecision(retry_in={"seconds": AGAIN_SECONDS})
        if isinstance(exception, WorkerEnding):
            return RetryDecision(retry_in={"seconds": 0})
        return self.often.get_retry_decision(exception=exception, job=job)


@app.task(name="stories.tell", queue=STORIES, priority=PRIORITY, retry=Retry())
def tell(user_id: str, conversation_id: str) -> None:
    """Build the story of a conversation, and bring the person's set to where it is searched from.

    A failure is recorded, by its code. Outside of `except`: what was caught may hold what people said, and the log
    would show it as the context of whatever else is raised there.
    """
    actor = Actor.system("stories.tell")
    other: type[JobFailed] | None = None
    try:
        build_story(user_id=UUID(user_id), conversation_id=UUID(conversation_id), actor=actor)
        settle_graph(user_id=UUID(user_id), actor=actor)
        return
    except TokensSpent as spent:
        tell.configure(schedule_at=spent.again_at).defer(user_id=user_id, conversation_id=conversation_id)
        return
    except Stopped as problem:
        why, other, told = problem.code, WorkerEnding, str(problem)
    except DatabaseError as problem:
        why, told = type(problem).__name__, f"{type(problem).__name__}."
        other = DatabaseAway if is_away(problem) else None
    except VibeError as problem:
        why, told = problem.code, str(problem)
    except Exception as problem:
        why, told = type(problem).__name__, f"{type(problem).__name__}."
    if other:
        raise other(f"Telling conversation {conversation_id} failed: {told}")
    with transaction.atomic():
        record(
            actor=actor,
            action="story.build",
            subject=UUID(user_id),
            resource=f"conversations/{conversation_id}",
            outcome=FAILED,
            reason=why,
        )
    failed = JobFailed(f"Telling conversation {conversation_id} failed: {told}")
    failed.cause = why
    raise failed


def start_telling(user_id: UUID, conversation_ids: Iterable[UUID]) -> None:
    """Have conversations told once the caller's transaction has committed: a job each."""
    given = ({"user_id": str(user_id), "conversation_id": str(each)} for each in conversation_ids)
    start_jobs(tell.configure(), *given)


def is_away(problem: DatabaseError) -> bool:
    """Whether the database was lost, rather than anything wrong with the statement."""
    if not isinstance(problem, OperationalError | InterfaceError):
        return False
    state: str | None = getattr(problem.__cause__, "sqlstate", None)
    return state.startswith(CONNECTION_LOST) if state else True


@app.periodic(cron="* * * * *")
@app.task(name="jobs.take_up_stalled", queue=AUDIT, queueing_lock="jobs.take_up_stalled", pass_context=False)
async def take_up_stalled(timestamp: int) -> None:  # noqa: ARG001
    """Give the jobs of workers that died to those that live; one that was there too often has failed."""
    await app.connector.execute_query_async(CLOCK_SET_BACK)
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        if job.attempts < MOST_STALLS:
            await app.job_manager.retry_job(job)
        else:
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)
