"""Starts the building of stories that are due, person by person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from vibe.core.db.scopes import as_system

MOST: Final = 200
"""People for whom a job is started at a time: the next sweep starts more."""
LONGEST_WAIT: Final = timedelta(days=1)
"""The longest that a build is put off."""
PEOPLE: Final = (
    "SELECT user_id FROM stories WHERE (due_at <= now() OR due_at > %s) "
    "AND user_id NOT IN (SELECT id FROM users WHERE restricted_at IS NOT NULL) "
    "GROUP BY user_id ORDER BY min(due_at) LIMIT %s"
)
BUSY: Final = (
    "SELECT (args ->> 'user_id')::uuid FROM procrastinate_jobs WHERE task_name = %s AND status IN ('todo', 'doing')"
)


def no_wait_ends_after() -> datetime:
    """Return the time that nothing put off now waits beyond. What does was put off by a clock that was ahead."""
    return timezone.now() + max(LONGEST_WAIT, timedelta(minutes=settings.EPISODE_GAP_MINUTES)) + timedelta(hours=1)


def people_due(task: str) -> list[UUID]:
    """Return the people who have a story that is due and no job for it, the longest due first."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(BUSY, [task])
        busy = {user_id for (user_id,) in cursor.fetchall()}
        cursor.execute(PEOPLE, [no_wait_ends_after(), MOST + len(busy)])
        return [user_id for (user_id,) in cursor.fetchall() if user_id not in busy][:MOST]


def start_due_builds(task: Any) -> int:
    """Start a job for each of them, and return how many. At most one of a person runs at a time.

    There is no queueing lock: a job that is put back while another of its lock waits would break it.
    """
    people = people_due(task.name)
    for user_id in people:
        task.configure(lock=f"stories.build:{user_id}").defer(user_id=str(user_id))
    return len(people)
