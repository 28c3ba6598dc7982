"""Jobs are started as procrastinate itself would, also after it is upgraded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from procrastinate import sql
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.types import JobToDefer

from vibe.core.db import jobs
from vibe.core.db.scopes import as_system

CHANGED = (
    f"procrastinate {version('procrastinate')} starts jobs in another way than vibe/core/db/jobs.py does. Compare "
    "JobManager._defer_jobs_query_kwargs with start_jobs() and job_row(), then change both them and this test."
)
QUERY = "SELECT unnest( procrastinate_defer_jobs_v1( %(jobs)s::procrastinate_job_to_defer_v1[] ) ) AS id;"
FIELDS = ("queue_name", "task_name", "priority", "lock", "queueing_lock", "args", "scheduled_at")
CONFIGURED: list[dict[str, Any]] = [
    {},
    {"queue": "other", "priority": 7, "lock": "l", "queueing_lock": "q"},
    {"schedule_at": datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)},
]


def test_the_query_and_the_type_are_those_of_the_installed_version() -> None:
    assert " ".join(sql.queries["defer_jobs"].split()) == QUERY, CHANGED
    assert issubclass(JobToDefer, tuple), CHANGED
    assert getattr(JobToDefer, "_fields", None) == FIELDS, CHANGED


def started() -> list[dict[str, Any]]:
    """The jobs there are, apart from their numbers; and none are left."""
    with as_system():
        rows = list(ProcrastinateJob.objects.order_by("id").values())
        ProcrastinateJob.objects.all()._raw_delete("default")
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


@pytest.mark.django_db
@pytest.mark.parametrize("configured", CONFIGURED)
def test_a_job_is_written_as_batch_defer_writes_it(configured: dict[str, Any]) -> None:
    deferrer = app.configure_task("stories.build", **configured)
    arguments: list[Any] = [{"user_id": "1"}, {"user_id": "2", "conversation_id": "é"}]
    arguments = arguments[:1] if "queueing_lock" in configured else arguments
    with transaction.atomic(), as_system():
        deferrer.batch_defer(*arguments)
    theirs = started()
    with transaction.atomic():
        jobs.start_jobs(deferrer, *arguments)
    assert (started(), len(theirs)) == (theirs, len(arguments)), CHANGED


@pytest.mark.django_db
def test_an_error_of_it_comes_with_the_next_statement() -> None:
    deferrer = app.configure_task("stories.build", queueing_lock="once")
    with pytest.raises(DatabaseError), transaction.atomic():
        jobs.start_jobs(deferrer, {"n": "1"}, {"n": "2"})
        ProcrastinateJob.objects.exists()
    assert started() == []
