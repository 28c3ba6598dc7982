"""Jobs carry ids, say nothing of what people said, and outlive the worker that ran them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, connections
from django.utils import timezone
from procrastinate import utils
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.periodic import PeriodicRegistry

from accounts.people.services.people import Profile, ensure_person
from audit.tasks import seal_trail
from stories import tasks
from stories.building.services import build as services
from stories.models import Story
from tests.cast import TESTER
from tests.stories.conftest import LISBON, HashedEmbedder
from vibe.core.db.job_classes.classes import AUDIT, STORIES
from vibe.core.db.job_classes.reporting import read_states
from vibe.core.db.scopes import as_system, as_user


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


@pytest.fixture
def ada_waiting(committed: None, tell: Callable[..., None]) -> UUID:
    """Ada, with one conversation committed and its job waiting."""
    ada = ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    return ada


def jobs() -> list[tuple[str, str, dict[str, str]]]:
    with as_system():
        return list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "status", "args"))


@pytest.fixture(autouse=True)
def nothing_periodic(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes of itself each minute is asked for by name here."""
    monkeypatch.setattr(app, "periodic_registry", PeriodicRegistry())


@pytest.fixture(autouse=True)
def connections_end_with_their_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


def work(*queues: str) -> None:
    """What `manage.py procrastinate worker --one-shot` does."""
    with app.replace_connector(app.connector.get_worker_connector()) as worker:  # type: ignore[attr-defined]
        worker.run_worker(
            queues=list(queues) or [STORIES],
            wait=False,
            install_signal_handlers=False,
            listen_notify=False,
            concurrency=1,
        )


def stories_of(user_id: UUID) -> int:
    with as_user(user_id):
        return Story.objects.of(user_id).count()


def test_a_job_goes_with_the_change_and_holds_ids_only(ada_waiting: UUID) -> None:
    [(name, status, arguments)] = jobs()
    assert (name, status) == ("stories.tell", "todo")
    assert arguments.keys() == {"user_id", "conversation_id"}
    assert all(str(UUID(value)) == value for value in arguments.values())


def test_a_change_that_is_given_up_leaves_no_job(ada: UUID, tell: Callable[..., None]) -> None:
    from django.db import transaction

    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        tell(ada, "lisbon", LISBON)
        raise KeyboardInterrupt
    assert jobs() == []


def test_the_trail_is_sealed_before_the_stories_that_wait(ada_waiting: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr("audit.tasks.seal", lambda: told.append(stories_of(ada_waiting)))
    seal_trail.defer(timestamp=0)
    work(STORIES, AUDIT)
    assert told[0] == 0, "though it was asked for later"
    assert stories_of(ada_waiting) == 1


@pytest.mark.parametrize("debug", [False, True])
def test_a_worker_builds_what_waits(ada_waiting: UUID, settings: object, debug: bool) -> None:
    settings.DEBUG = debug  # type: ignore[attr-defined]
    work()
    assert {status for name, status, _ in jobs() if name == "stories.tell"} <= {"succeeded"}, "it may be gone by now"
    assert stories_of(ada_waiting) == 1


def test_a_job_that_fails_says_nothing_of_what_was_said(
    ada_waiting: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*source: object) -> None:
        raise ValueError("My brother Tomas dropped the piano")

    monkeypatch.setattr(services, "tell", failing)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="procrastinate"):
        work()
    assert [status for name, status, _ in jobs() if name == "stories.tell"] == ["todo"], "to be tried again, later"
    assert "ValueError" in caplog.text
    with as_system():
        assert {state.name: state.failure for state in read_states()}[STORIES] == "ValueError"
    assert "piano" not in caplog.text + str([(record.args, record.exc_text) for record in caplog.records])


def test_the_job_of_a_killed_worker_is_taken_up(ada_waiting: UUID) -> None:
    """A worker that took the job, and was not heard of since."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (%s) RETURNING id",
            [timezone.now() - timedelta(seconds=tasks.STALLED_AFTER_SECONDS + 1)],
        )
        [worker] = cursor.fetchone()
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", [worker])
    assert [status for _, status, _ in jobs()] == ["doing"], "there is nothing that another worker would take"
    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        utils.async_to_sync(taken_up)
    work()
    assert stories_of(ada_waiting) == 1


async def taken_up() -> None:
    async with app.open_async():
        await tasks.take_up_stalled.func(timestamp=0)
