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
from procrastinate.contrib.django import app, procrastinate_app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.periodic import PeriodicRegistry

from accounts.people.services.people import Profile, ensure_person
from stories import tasks
from stories.building.services.build import build_due, start_due_builds
from stories.index import services
from stories.models import PendingMemory, Story
from stories.processors.openai_compatible.errors import ProviderAway
from tests.building import converse
from tests.cast import TESTER
from tests.stories.conftest import LISBON, BrokenEmbedder, HashedEmbedder, NearEmbedder
from vibe.core.db.job_classes.classes import IMPORTS, STORIES, WAITED
from vibe.core.db.job_classes.reporting import read_states
from vibe.core.db.scopes import as_system, as_user


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


@pytest.fixture
def ada_waiting(committed: None, tell: Callable[..., None]) -> UUID:
    """Ada, with one conversation imported and the job that indexes it waiting."""
    ada = ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    return ada


def jobs() -> list[tuple[str, str, dict[str, str]]]:
    with as_system():
        return list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "status", "args"))


@pytest.fixture(autouse=True)
def nothing_periodic(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes of itself each minute is asked for by name here."""
    monkeypatch.setattr(procrastinate_app.current_app, "periodic_registry", PeriodicRegistry())


@pytest.fixture(autouse=True)
def connections_end_with_their_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


def work(*queues: str) -> None:
    """What `manage.py procrastinate worker --one-shot` does."""
    with app.replace_connector(app.connector.get_worker_connector()) as worker:  # type: ignore[attr-defined]
        worker.run_worker(
            queues=list(queues) or [STORIES, IMPORTS, WAITED],
            wait=False,
            install_signal_handlers=False,
            listen_notify=False,
            concurrency=1,
        )


def built(user_id: UUID) -> int:
    """How many stories of a person are built."""
    with as_user(user_id):
        return Story.objects.of(user_id).exclude(built_at=None).count()


def make_due(user_id: UUID) -> None:
    """Let it be quiet for a minute."""
    with as_user(user_id):
        Story.objects.of(user_id).update(due_at=timezone.now())


def test_a_job_goes_with_the_change_and_holds_ids_only(ada_waiting: UUID) -> None:
    [(name, status, arguments)] = jobs()
    assert (name, status) == ("stories.index_imported", "todo")
    assert arguments == {"user_id": str(ada_waiting)}


def test_what_is_said_now_needs_no_job(ada: UUID, use_embedder: Callable[[object], None]) -> None:
    use_embedder(NearEmbedder())
    converse(ada, LISBON)
    assert jobs() == []


def test_control_a_model_that_is_elsewhere_is_asked_by_a_job(ada: UUID) -> None:
    converse(ada, LISBON)
    assert {name for name, _, _ in jobs()} == {"stories.index_added"}


def test_a_change_that_is_given_up_leaves_no_job(ada: UUID, tell: Callable[..., None]) -> None:
    from django.db import transaction

    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        tell(ada, "lisbon", LISBON)
        raise KeyboardInterrupt
    assert jobs() == []


@pytest.mark.parametrize("debug", [False, True])
def test_a_worker_indexes_and_builds_what_waits(ada_waiting: UUID, settings: object, debug: bool) -> None:
    settings.DEBUG = debug  # type: ignore[attr-defined]
    work()
    with as_user(ada_waiting):
        assert not PendingMemory.objects.of(ada_waiting).exists()
    make_due(ada_waiting)
    assert start_due_builds(tasks.build) == 1
    assert start_due_builds(tasks.build) == 0, "one is waiting already"
    work()
    assert {status for _, status, _ in jobs()} <= {"succeeded"}, "it may be gone by now"
    assert built(ada_waiting) == 1
    assert start_due_builds(tasks.build) == 0, "nothing is due any more"


def test_a_job_that_fails_says_nothing_of_what_was_said(
    ada_waiting: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ValueError("My brother Tomas dropped the piano")

    monkeypatch.setattr(services, "make_entries", failing)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="procrastinate"):
        work()
    assert [status for name, status, _ in jobs()] == ["todo"], "to be tried again, later"
    assert "ValueError" in caplog.text
    with as_system():
        assert {state.name: state.failure for state in read_states()}[IMPORTS] == "ValueError"
    assert "piano" not in caplog.text + str([(record.args, record.exc_text) for record in caplog.records])


def test_a_provider_that_is_away_uses_up_no_tries(ada_waiting: UUID, use_embedder: Callable[[object], None]) -> None:
    broken = BrokenEmbedder()
    broken.answer = ProviderAway("The service did not answer.")
    use_embedder(broken)
    for _ in range(8):
        work()
        assert [status for _, status, _ in jobs()] == ["todo"]
        with as_system(), connection.cursor() as cursor:  # half a minute later
            cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    use_embedder(HashedEmbedder())
    work()
    with as_user(ada_waiting):
        assert not PendingMemory.objects.of(ada_waiting).exists()


def test_what_could_not_be_indexed_is_tried_again(ada_waiting: UUID) -> None:
    with as_system(), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = 6")
    work()
    assert [status for _, status, _ in jobs()] == ["failed"], "the control: nothing else tries it"
    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        utils.async_to_sync(tried_again)
    work()
    with as_user(ada_waiting):
        assert not PendingMemory.objects.of(ada_waiting).exists()


async def tried_again() -> None:
    async with app.open_async():
        await tasks.index_again.func(timestamp=0)


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
    with as_user(ada_waiting):
        assert not PendingMemory.objects.of(ada_waiting).exists()


def put_off_by_a_clock_that_was_ahead(user_id: UUID, table: str, days: int) -> None:
    column = {"stories": "due_at", "procrastinate_jobs": "scheduled_at"}[table]
    with as_user(user_id) if table == "stories" else as_system(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = now() + %s * interval '1 day'", [days])


def test_a_job_that_was_put_off_while_the_clock_was_ahead_is_done(ada_waiting: UUID) -> None:
    put_off_by_a_clock_that_was_ahead(ada_waiting, "procrastinate_jobs", 40)
    work()
    with as_user(ada_waiting):
        assert PendingMemory.objects.of(ada_waiting).exists(), "the control"
    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        utils.async_to_sync(taken_up)
    work()
    with as_user(ada_waiting):
        assert not PendingMemory.objects.of(ada_waiting).exists()


@pytest.mark.parametrize(("days", "expected"), [(40, 1), (1, 0)])
def test_a_story_that_was_put_off_while_the_clock_was_ahead_is_built(
    ada_waiting: UUID, days: int, expected: int
) -> None:
    """And one that is put off for as long as any may be waits."""
    work()
    put_off_by_a_clock_that_was_ahead(ada_waiting, "stories", days)
    assert start_due_builds(tasks.build) == expected
    assert build_due(user_id=ada_waiting, actor=TESTER) == expected


async def taken_up() -> None:
    async with app.open_async():
        await tasks.take_up_stalled.func(timestamp=0)
