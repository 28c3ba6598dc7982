"""Jobs. Their arguments are ids only: arguments are stored and logged in clear."""

from __future__ import annotations

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from audit.actors import Actor
from stories.processors.openai_compatible.errors import TokensSpent
from stories.services import build_story
from stories.sets import settle_graph
from vibe.errors import VibeError

QUEUE = "stories"
RETRY = RetryStrategy(max_attempts=5, exponential_wait=4)
STALLED_AFTER_SECONDS = 60


class JobFailed(VibeError):
    """A job failed; the type of the error is named, its text may hold what people said."""

    code = "job-failed"


@app.task(name="stories.tell", queue=QUEUE, retry=RETRY)
def tell(user_id: str, conversation_id: str) -> None:
    """Build the story of a conversation, and bring the person's set to where it is searched from."""
    actor = Actor.system("stories.tell")
    try:
        build_story(user_id=UUID(user_id), conversation_id=UUID(conversation_id), actor=actor)
        settle_graph(user_id=UUID(user_id), actor=actor)
    except TokensSpent as spent:
        tell.configure(schedule_at=spent.again_at).defer(user_id=user_id, conversation_id=conversation_id)
    except VibeError:
        raise
    except Exception as problem:
        raise JobFailed(f"Telling conversation {conversation_id} failed: {type(problem).__name__}.") from None


@app.periodic(cron="* * * * *")
@app.task(name="jobs.take_up_stalled", queue=QUEUE, queueing_lock="jobs.take_up_stalled", pass_context=False)
async def take_up_stalled(timestamp: int) -> None:  # noqa: ARG001
    """Give the jobs of workers that died to those that live."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        await app.job_manager.retry_job(job)
