"""Rebuilding a story, for its person or by staff, and retrying failed jobs."""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.keys.services.data_keys import open_vault
from accounts.people.names import is_uuid
from audit.actors import Actor
from audit.services import record
from stories.building.sources import hold_story
from stories.models import Story
from stories.sealed_story import COLUMNS, open_draft, seal_draft
from vibe.core.db.schema.owned import Versions, require_version
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import NotFound, VibeError

FAILED = "failed"
# Of several jobs with one queueing lock, only one may wait.
RETRY_ALL = """
UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = NULL, worker_id = NULL WHERE id IN (
    SELECT max(id) FROM procrastinate_jobs failed WHERE status = 'failed' AND task_name = %s AND NOT EXISTS (
        SELECT FROM procrastinate_jobs other
        WHERE other.queueing_lock = failed.queueing_lock AND other.status = 'todo')
    GROUP BY coalesce(queueing_lock, id::text)
)
"""


class JobNotFailed(VibeError):
    message = "The job has not failed. Only a failed job can be retried."
    code = "job-not-failed"
    status = 409


def request_rebuild(
    *,
    user_id: UUID,
    story_id: UUID,
    actor: Actor,
    forget_corrections: bool = False,
    expected: Versions | None = None,
) -> None:
    """Request that a story is rebuilt. Its corrections stay, unless they are to be forgotten.

    Raises NotFound and Outdated.
    """
    with as_user(user_id):
        story = hold_story(user_id, story_id)
        require_version(story, expected)
        if forget_corrections:
            drop_corrections(story)
        rebuild_story(user_id=user_id, story_id=story_id, actor=actor)


def drop_corrections(story: Story) -> None:
    """Drop the corrections of a story; their words go when it is rebuilt."""
    vault = open_vault(to_process=True)
    seal_draft(story, open_draft(story, vault), vault)  # discards a build that has begun
    story.corrected, story.corrected_from, story.corrected_at = [], [], None
    story.save(update_fields=[*COLUMNS, "revision", "corrected", "corrected_from", "corrected_at"])


def rebuild_story(*, user_id: UUID, story_id: UUID, actor: Actor) -> None:
    """Make a story due now, even if nothing in its episode has changed. Raises NotFound."""
    with as_user(user_id):
        if not Story.objects.of(user_id).filter(pk=story_id).update(due_at=Now(), tries=0):
            raise NotFound("There is no such story.")
        record(actor=actor, action="story.rebuild", subject=user_id, resource=f"stories/{story_id}")


def retry_job(*, job_id: int, actor: Actor) -> None:
    """Put a failed job back into the queue. Raises NotFound, or JobNotFailed if the job has not failed."""
    with as_system():
        job = ProcrastinateJob.objects.filter(pk=job_id).first()
        if job is None:
            raise NotFound("There is no such job.")
        if job.status != FAILED:
            raise JobNotFailed()
        app.job_manager.retry_job_by_id(job_id, timezone.now())
        whose = job.args.get("user_id", "") if isinstance(job.args, dict) else ""
        subject = UUID(whose) if is_uuid(whose) else None
        record(actor=actor, action="job.retry", subject=subject, resource=f"procrastinate_jobs/{job_id}")


def retry_failed_jobs(*, task: str, actor: Actor) -> int:
    """Put all failed jobs of a task back into the queue. Return their number."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(RETRY_ALL, [task])
        count = int(cursor.rowcount)
        record(actor=actor, action="job.retry", resource="procrastinate_jobs", details={"task": task, "jobs": count})
        return count
