"""People take turns in a class of work, and for the rest a job is fetched as procrastinate itself would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from procrastinate import sql
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from vibe.core.db.job_classes import turns
from vibe.core.db.job_classes.classes import STORIES
from vibe.core.db.job_classes.turns import TakingTurns
from vibe.core.db.scopes import as_system

Fetch = Callable[[], Job | None]
Fetching = Callable[[type[JobManager]], Fetch]


@pytest.fixture
def fetching(committed: None) -> Iterator[Fetching]:
    """Fetching as a worker does, with a manager of some kind."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        [worker_id] = cursor.fetchone()
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    with asyncio.Runner() as runner:
        runner.run(connector.open_async())

        def of(kind: type[JobManager]) -> Fetch:
            manager = kind(connector)
            return lambda: runner.run(manager.fetch_job([STORIES], worker_id))

        yield of
        runner.run(connector.close_async())


@pytest.fixture
def fetch(fetching: Fetching) -> Fetch:
    return fetching(TakingTurns)


def ask(*people: str | None, **how: Any) -> None:
    """A job for each of them."""
    given = [{} if person is None else {"user_id": person} for person in people]
    app.configure_task("stories.tell", queue=STORIES, **how).batch_defer(*given)


def done(job: Job | None) -> str:
    """Whose job it was. It is over."""
    assert job
    with as_system():
        ProcrastinateJob.objects.filter(pk=job.id)._raw_delete("default")
    return str(job.task_kwargs.get("user_id"))


def test_the_next_person_does_not_wait_for_a_long_backlog(fetch):
    """With one slot: jobs come one after the other."""
    ask(*["ada"] * 100, *["jonas"] * 100, "ida", "teo")
    assert [done(fetch()) for _ in range(6)] == ["ada", "jonas", "ida", "teo", "ada", "jonas"]


def test_control_procrastinate_serves_who_came_first(fetching):
    ask(*["ada"] * 100, "jonas")
    fetch = fetching(JobManager)
    assert [done(fetch()) for _ in range(100)] == ["ada"] * 100


def test_nobody_holds_two_slots_while_another_waits(fetch):
    ask("ada", "ada", "ada", "jonas")
    held = [fetch(), fetch()]
    assert [job.task_kwargs["user_id"] for job in held if job] == ["ada", "jonas"]
    done(held[1])
    assert done(fetch()) == "ada", "nobody else waits, so the slot is hers"


def test_a_job_that_another_worker_takes_in_this_moment_is_passed_over(fetch):
    ask("ada", "ada")
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT min(id) FROM procrastinate_jobs")
            [first] = cursor.fetchone()
            cursor.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [first])
            job = fetch()
            assert job and job.id == first + 1
    finally:
        other.close()


def test_who_holds_a_slot_goes_last_whenever_they_were_served(fetch):
    ask("ada", "ada", "jonas", "jonas")
    first, second = fetch(), fetch()
    assert [first.task_kwargs["user_id"], done(second)] == ["ada", "jonas"]
    assert done(fetch()) == "jonas", "served later than she was, but she holds a slot"


def test_a_job_of_nobody_goes_by_its_age(fetch):
    ask("ada", None, "ada")
    assert [done(fetch()) for _ in range(3)] == ["ada", "None", "ada"]


def test_a_job_that_waits_for_another_try_holds_up_nothing_of_its_person(fetch):
    ask("ada", schedule_in={"minutes": 5})
    ask("ada")
    assert done(fetch()) == "ada"
    assert fetch() is None


def test_priority_goes_before_turns(fetch):
    ask("ada", "ada")
    done(fetch())
    ask("ada", priority=1)
    ask("jonas")
    assert [done(fetch()) for _ in range(3)] == ["ada", "jonas", "ada"]


def test_turns_are_forgotten_when_nobody_waits_and_their_number_is_limited(fetching, monkeypatch):
    monkeypatch.setattr(turns, "REMEMBERED", 3)
    made: list[TakingTurns] = []

    def kept(connector: Any) -> TakingTurns:
        made.append(TakingTurns(connector))
        return made[0]

    fetch = fetching(kept)
    ask("ada", "jonas", "ida", "teo", "eva")
    assert [done(fetch()) for _ in range(5)] == ["ada", "jonas", "ida", "teo", "eva"]
    assert list(made[0]._served[(STORIES,)]) == ["ida", "teo", "eva"]
    assert fetch() is None
    assert made[0]._served[(STORIES,)] == {}


CASES: list[list[dict[str, Any]]] = [
    [{}, {}],
    [{"priority": 1}, {"priority": 5}, {"priority": 5}],
    [{"schedule_in": {"hours": 1}}, {"schedule_in": {"hours": -1}}],
    [{"lock": "one"}, {"lock": "one", "priority": 3}, {"lock": "two"}],
    [{"lock": "one", "schedule_in": {"hours": 1}}, {"lock": "one"}, {}],
    [{"queue": "other"}, {}],
]


@pytest.mark.parametrize("configured", CASES)
def test_for_the_rest_jobs_are_fetched_as_procrastinate_does(fetching, configured):
    """Without people, one after the other, while all that were fetched run on."""

    def fetched(kind: type[JobManager]) -> tuple[Any, Any]:
        for each in configured:
            app.configure_task("stories.tell", **{"queue": STORIES, **each}).defer()
        fetch = fetching(kind)
        found = [fetch() for _ in configured]
        with as_system():
            jobs = list(ProcrastinateJob.objects.order_by("id").values("id", "status", "worker_id"))
            ProcrastinateJob.objects.all()._raw_delete("default")
        numbers = [job.pop("id") for job in jobs]
        new = {"call_string": "", "scheduled_at": None}  # apart from what is of this job alone
        return [job and {**job.log_context(), **new, "id": numbers.index(job.id)} for job in found], jobs

    assert fetched(TakingTurns) == fetched(JobManager)


def test_procrastinate_fetches_by_the_function_that_was_read():
    """When this fails, compare vibe/core/db/job_classes/turns.py with the function of the new version."""
    assert "procrastinate_fetch_job_v2" in sql.queries["fetch_job"]
