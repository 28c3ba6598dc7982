"""No class of work fills another's slots, and a worker that is told to end does so in time and gives its jobs back."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from procrastinate import utils
from procrastinate.contrib.django import app, procrastinate_app
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from procrastinate.periodic import PeriodicDeferrer, PeriodicRegistry
from procrastinate.tasks import Task
from procrastinate.worker import Worker

from tests.processes import PATIENCE, manage, start, until, url
from tests.workers import at_work
from vibe.core.db.job_classes import classes, retrying
from vibe.core.db.job_classes.classes import AUDIT, CLASSES, IMPORTS, STORIES, WAITED, WEBHOOKS
from vibe.core.db.job_classes.reporting import read_states
from vibe.core.db.job_classes.retrying import NewestTime, RetryingManager
from vibe.core.db.job_classes.turns import TakingTurns
from vibe.core.db.scopes import as_system
from vibe.core.errors import ConfigurationError, InputError
from vibe.serving import worker
from vibe.serving.worker import WorkerStopped

SLOTS = {AUDIT: 1, WAITED: 2, STORIES: 2, IMPORTS: 1, WEBHOOKS: 2}
HOUR, DAY = 3_600, 86_400
SOON = 20  # seconds: far more than it takes, and less than the first worker would wait for


@pytest.fixture(autouse=True)
def own_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that a test adds go with it, and nothing comes of itself."""
    real = procrastinate_app.current_app
    monkeypatch.setattr(real, "tasks", dict(real.tasks))
    monkeypatch.setattr(real, "periodic_registry", PeriodicRegistry())


@pytest.fixture(autouse=True)
def connections_end_with_their_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Until it is set, jobs that wait for it hold their slots."""
    event = threading.Event()
    yield event
    event.set()


def task(name: str, queue: str, does: Callable[..., Any]) -> Task[Any, Any, Any]:
    return app.task(name=name, queue=queue)(does)


def classless() -> set[str]:
    """The tasks whose queue is no class of work."""
    return {name for name, each in app.tasks.items() if each.queue not in CLASSES and not name.startswith("builtin:")}


# Every task has a class


def test_every_task_names_its_class():
    app.perform_import_paths()
    ours = {name for name in app.tasks if "procrastinate" not in name}
    assert len(ours) >= 8
    assert classless() & ours == set()
    task("lost", "default", print)
    assert classless() & {"lost"} == {"lost"}, "the control"


def test_every_periodic_job_is_a_job_of_some_class(monkeypatch):
    monkeypatch.undo()
    assert {each.task.queue for each in app.periodic_registry.periodic_tasks.values()} <= set(CLASSES)
    assert len(app.periodic_registry.periodic_tasks) >= 8


WRONG = (
    "",
    "audit=1",
    "audit=1,waited=0,stories=1,imports=1,webhooks=1",
    "audit=1,waited=2,stories=x,imports=1,webhooks=1",
    "audit=1,waited=2,stories=1,imports=1,webhooks=1,other=1",
    "audit=1,audit=2,waited=2,stories=1,imports=1,webhooks=1",
    "audit=1,waited=2,stories=2,imports=1",
)


@pytest.mark.parametrize("wrong", WRONG)
def test_slots_that_leave_a_class_out_are_refused(settings, wrong):
    settings.WORKER_SLOTS = wrong
    with pytest.raises(ConfigurationError, match="WORKER_SLOTS"):
        classes.slots()


def test_classes_can_be_chosen(settings):
    settings.WORKER_SLOTS = "audit=1, waited=3, stories=2, imports=1, webhooks=2"
    assert classes.chosen("") == {AUDIT: 1, WAITED: 3, STORIES: 2, IMPORTS: 1, WEBHOOKS: 2}
    assert classes.chosen("stories, audit") == {AUDIT: 1, STORIES: 2}
    with pytest.raises(InputError, match="1 of these"):
        classes.chosen("audit,secret")


# Slots of its own


def fill(queue: str, held: threading.Event, number: int) -> list[int]:
    """More jobs than the class has slots, each of which holds its slot."""
    begun: list[int] = []
    hold = task(f"hold.{queue}", queue, lambda n: (begun.append(n), held.wait(PATIENCE)))
    hold.batch_defer(*({"n": n} for n in range(number)))
    return begun


@pytest.mark.parametrize("full", [WAITED, STORIES, IMPORTS, WEBHOOKS])
def test_a_full_class_delays_no_other(committed, held, full):
    begun = fill(full, held, 30)
    others = [each for each in CLASSES if each != full]
    done = {each: threading.Event() for each in others}
    for each in others:
        task(f"quick.{each}", each, done[each].set)
    with at_work(SLOTS):
        until(lambda: len(begun) == SLOTS[full], SOON)
        for each in others:
            app.tasks[f"quick.{each}"].defer()
        assert all(event.wait(SOON) for event in done.values())
        assert len(begun) == SLOTS[full], "and none beyond its own slots"
        held.set()


def test_control_in_a_shared_pool_one_class_delays_all(committed, held):
    begun = fill(STORIES, held, 30)
    done = threading.Event()
    task("quick", AUDIT, done.set)
    with at_work({}, shared=4):  # asyncio has threads for so many on any machine
        until(lambda: len(begun) == 4, SOON)
        app.tasks["quick"].defer()
        assert not done.wait(3)
        held.set()


def more_slots_than_threads(held: threading.Event) -> bool:
    """Whether a job of another class is done while so many run as asyncio would have threads for."""
    many = 40  # asyncio's own limit is 32
    begun = fill(IMPORTS, held, many)
    done = threading.Event()
    task("quick", AUDIT, done.set)
    with at_work({AUDIT: 1, IMPORTS: many}):
        until(lambda: len(begun) >= 5, SOON)
        app.tasks["quick"].defer()
        quick = done.wait(5)
        held.set()
    return quick


def test_there_is_a_thread_for_each_slot(committed, held):
    assert more_slots_than_threads(held)


def test_control_with_the_threads_of_asyncio_there_is_none(committed, held, monkeypatch):
    executor = worker.ThreadPoolExecutor
    monkeypatch.setattr(worker, "ThreadPoolExecutor", lambda _: executor(5))
    assert not more_slots_than_threads(held)


def test_periodic_jobs_come_once_however_many_workers_there_are(committed, monkeypatch):
    times: list[int] = []

    def came(timestamp: int) -> None:
        times.append(timestamp)

    app.periodic(cron="* * * * * *")(task("each", AUDIT, came))
    with at_work(SLOTS):
        until(lambda: len(times) >= 4, SOON)
    assert len(times) == len(set(times))


def started(deferrer: type[PeriodicDeferrer], cron: str, *times: float) -> list[list[int]]:
    """For which times a periodic job is started, at each of some times of the clock."""
    registry = PeriodicRegistry()
    registry.register_task(Task(print, blueprint=app, name="each", queue=AUDIT), cron, "", {})
    starter = deferrer(registry)
    return [[at for _, at in starter.get_previous_tasks(at=now)] for now in times]


NOON = datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp()
EVERY_FIVE_SECONDS, AT_THREE = "* * * * * */5", "0 3 * * *"
SLEEP = NOON + 1, NOON + DAY + 1
BACK = NOON + DAY + 1, NOON + 1, NOON + 6


def test_after_a_sleep_a_periodic_job_comes_once():
    assert started(NewestTime, EVERY_FIVE_SECONDS, *SLEEP) == [[NOON], [NOON + DAY]]


def test_control_else_it_comes_for_every_time_that_was_missed():
    assert len(started(PeriodicDeferrer, EVERY_FIVE_SECONDS, *SLEEP)[1]) == DAY / 5


def test_after_the_clock_was_set_back_periodic_jobs_go_on():
    assert started(NewestTime, EVERY_FIVE_SECONDS, *BACK) == [[NOON + DAY], [NOON], [NOON + 5]]


def test_control_else_none_comes_until_the_clock_is_there_again():
    assert started(PeriodicDeferrer, EVERY_FIVE_SECONDS, *BACK) == [[NOON + DAY], [], []]


def test_a_job_of_the_night_comes_after_a_sleep_and_not_again_after_the_clock_was_set_back():
    at_two, at_four, at_nine = NOON - 10 * HOUR, NOON - 8 * HOUR, NOON - 3 * HOUR
    assert started(NewestTime, AT_THREE, at_two, at_nine) == [[], []], "a worker that was just started"
    came = started(NewestTime, AT_THREE, at_two - 23 * HOUR + 60, at_nine, at_two, at_four)
    assert came == [[NOON - 33 * HOUR], [NOON - 9 * HOUR], [], []]


# What is known of them


def test_workers_say_which_class_they_do(committed):
    with at_work({AUDIT: 1, STORIES: 3}):

        def known() -> dict[str, tuple[int, int]]:
            with as_system():
                return {state.name: (state.workers, state.slots) for state in read_states()}

        until(
            lambda: known() == {AUDIT: (1, 1), WAITED: (0, 0), STORIES: (1, 3), IMPORTS: (0, 0), WEBHOOKS: (0, 0)}, SOON
        )
    until(lambda: set(known().values()) == {(0, 0)}, SOON)


def test_the_last_failure_of_a_class_is_known_by_its_code(committed):
    class Away(Exception):
        code = "provider-away"

    def fail() -> None:
        raise Away("Ada said this")

    task("fails", STORIES, fail).defer()
    with at_work({STORIES: 1}), as_system():
        [state] = until(lambda: [each for each in read_states() if each.failure], SOON)
    assert (state.name, state.failed_task, state.failure) == (STORIES, "fails", "provider-away")
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT job.status, error.code FROM procrastinate_jobs job JOIN job_errors error ON job_id = id")
        assert cursor.fetchall() == [("failed", "provider-away")], "and that of the job itself"


# A database that is away

ASKED = {
    "fetch_job": ([WAITED], 1),
    "update_heartbeat": (1,),
    "defer_periodic_job": ("job", "", 0),
    "listen_for_jobs": (),
}


def asked_while_away(asked: str, monkeypatch: pytest.MonkeyPatch, cause: Exception) -> str:
    """What comes of what a worker asks, when it fails once."""
    answers: list[Exception | None] = [None, ConnectorException()]

    async def answer(*_: object, **__: object) -> None:
        if problem := answers.pop():
            raise problem from cause

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(retrying, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(TakingTurns, asked, answer)
    monkeypatch.setattr(RetryingManager, "_held_unknown", nothing)
    options = {"on_notification": print} if asked == "listen_for_jobs" else {}
    manager = worker.JobManager(app.connector)
    return asyncio.run(getattr(manager, asked)(*ASKED[asked], **options)) or "done"


@pytest.mark.parametrize("asked", ASKED)
def test_a_worker_asks_again(asked, monkeypatch):
    assert asked_while_away(asked, monkeypatch, psycopg.OperationalError()) == "done"


@pytest.mark.parametrize("asked", ASKED)
def test_control_what_is_wrong_is_not_asked_again(asked, monkeypatch):
    with pytest.raises(ConnectorException):
        asked_while_away(asked, monkeypatch, psycopg.errors.UndefinedTable())


# The outcome

LOSE_THE_OUTCOME = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%procrastinate_finish_job%'
"""


def outcome_is_stored(begun: threading.Event, go_on: threading.Event, within: int) -> bool:
    """Whether a job is over, within some seconds, whose worker loses the connection on which it says so."""
    with at_work({WAITED: 1}):
        assert begun.wait(SOON)
        other = connection.copy()
        other.set_autocommit(False)
        try:
            with other.cursor() as cursor:
                cursor.execute("LOCK procrastinate_jobs IN SHARE MODE")
            go_on.set()
            until(lose_the_outcome, SOON)
        finally:
            other.close()
        try:
            until(lambda: not in_hand(), within)
        except AssertionError:
            return False
        return True


def lose_the_outcome() -> int:
    with connection.cursor() as cursor:
        cursor.execute(LOSE_THE_OUTCOME)
        return len(cursor.fetchall())


def in_hand() -> int:
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")
        return int(cursor.fetchone()[0])


@pytest.fixture
def ending(committed: None) -> tuple[threading.Event, threading.Event]:
    """A job that tells that it has begun, and ends when it may."""
    begun, go_on = threading.Event(), threading.Event()

    def end() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    task("ends", WAITED, end).defer()
    return begun, go_on


def test_an_outcome_is_stored_though_the_connection_is_lost_meanwhile(ending):
    assert outcome_is_stored(*ending, within=SOON)


def test_control_procrastinate_tries_once(ending, monkeypatch):
    """A worker that lives holds the job for good, and its lock with it."""
    monkeypatch.setattr(procrastinate_app.current_app, "job_manager", TakingTurns(app.connector))
    assert not outcome_is_stored(*ending, within=5)


def test_an_outcome_that_was_stored_is_not_stored_again(committed, monkeypatch):
    """Its answer was lost. By now another try of the job may be in hand, which must not end with this one's outcome."""
    monkeypatch.setattr(retrying, "PAUSE_SECONDS", 0.01)
    task("tries", WAITED, print).defer()

    async def store_twice() -> list[tuple[str, int]]:
        async with app.open_async():
            manager = worker.JobManager(app.connector)
            number = await manager.register_worker()
            job = await manager.fetch_job([WAITED], number)
            stored = TakingTurns.retry_job

            async def lost(self: Any, *arguments: Any, **changes: Any) -> None:
                await stored(self, *arguments, **changes)
                assert await manager.fetch_job([WAITED], number), "it is in hand again"
                raise ConnectorException from psycopg.OperationalError()

            monkeypatch.setattr(TakingTurns, "retry_job", lost)
            await manager.retry_job(job)
            return [(each.status, each.attempts) for each in await manager.list_jobs_async()]

    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        assert utils.async_to_sync(store_twice) == [("doing", 1)]


async def fetched(kind: type[JobManager], monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Which jobs a worker is given that asks three times, when the answer to the first is lost."""
    async with app.open_async():
        manager = kind(app.connector)
        number = await manager.register_worker()
        ask, lost = TakingTurns.fetch_job, False

        async def lose(self: Any, *arguments: Any) -> Any:
            nonlocal lost
            job = await ask(self, *arguments)
            if not lost:
                lost = True
                raise ConnectorException from psycopg.OperationalError()
            return job

        monkeypatch.setattr(TakingTurns, "fetch_job", lose)
        given = []
        for _ in range(3):
            with suppress(ConnectorException):
                job = await manager.fetch_job([WAITED], number)
                given.append(job and job.id)
        return given


@pytest.mark.parametrize(("kind", "expected"), [(worker.JobManager, [0, 1, None]), (TakingTurns, [1, None])])
def test_a_job_is_taken_though_the_answer_that_gave_it_was_lost(committed, monkeypatch, kind, expected):
    """The second is the control: procrastinate's worker holds it for good and never does it."""
    monkeypatch.setattr(retrying, "PAUSE_SECONDS", 0.01)
    numbers = [task(f"given.{each}", WAITED, print).defer() for each in range(2)]
    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        given = utils.async_to_sync(fetched, kind, monkeypatch)
    assert given == [None if each is None else numbers[each] for each in expected]


# The end


@pytest.mark.parametrize("more", [(), ("--one-shot",)], ids=["", "one shot"])
def test_jobs_in_hand_are_given_back_when_the_time_to_end_is_over(committed, ada_in_the_way, more):
    """The job waits for a row that somebody else holds, far longer than it may take to end."""
    process = start("worker", "--classes", "waited", *more, DATABASE_URL=url(), SHUTDOWN_SECONDS="4")
    until(lambda: jobs("doing") == 1)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and "given back" in said, said
    assert time.monotonic() - told < 4 + 2, "the machine is busy, but not so"
    assert (jobs("doing"), jobs("todo")) == (0, 1)
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT attempts, worker_id FROM procrastinate_jobs WHERE task_name = 'accounts.export'")
        assert cursor.fetchall() == [(0, None)], "it used up no try"
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        assert cursor.fetchone() == (0,)


def test_jobs_that_end_in_time_are_done(committed, ada_in_the_way):
    process = start("worker", "--classes", "waited", DATABASE_URL=url(), SHUTDOWN_SECONDS="60")
    until(lambda: jobs("doing") == 1)
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert process.poll() is None, "it waits for its job"
    ada_in_the_way()
    process.communicate(timeout=PATIENCE)
    assert (process.returncode, jobs("doing") + jobs("todo")) == (0, 0)


def jobs(status: str) -> int:
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status::text = %s AND task_name = 'accounts.export'",
            [status],
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def ada_in_the_way(committed: None) -> Iterator[Callable[[], None]]:
    """Ada asked for an export, whose row another session holds until this is called."""
    from accounts.export.services import request_export
    from accounts.people.services.people import Profile, ensure_person
    from tests.cast import TESTER

    ada = ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)
    request_export(user_id=ada, actor=TESTER)
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SELECT set_config('vibe.user_id', %s, true)", [str(ada)])
        cursor.execute("SET LOCAL ROLE vibe_user")
        cursor.execute("SELECT id FROM exports WHERE user_id = %s FOR UPDATE", [ada])
        assert len(cursor.fetchall()) == 1

    def let_go() -> None:
        if other.connection:
            other.close()

    yield let_go
    let_go()


def test_the_command_ends_when_nothing_is_due(committed):
    done = threading.Event()
    task("quick", WAITED, done.set).defer()
    call_command("worker", "--one-shot")
    assert done.is_set()


def test_procrastinates_own_worker_is_refused():
    done = manage("procrastinate", "worker", "--one-shot", DATABASE_URL=url())
    assert done.returncode != 0 and "manage.py worker" in done.stderr


def test_a_worker_that_ends_by_itself_takes_the_others_with_it(committed, monkeypatch):
    """A process that does some of its classes only would look alive."""

    def stop(_work: object, _context: object, worker: Worker) -> None:
        worker.stop()

    monkeypatch.setitem(procrastinate_app.current_app.worker_defaults, "task_middleware", [stop])
    task("stops", STORIES, print).defer()
    with pytest.raises(WorkerStopped), at_work(SLOTS) as ended:
        assert ended.wait(SOON)


def test_a_worker_that_counts_as_dead_ends(committed, monkeypatch):
    """Its jobs are another's by then."""
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.1)
    with pytest.raises(WorkerStopped), at_work(SLOTS) as ended:
        with as_system():
            until(lambda: sum(state.workers for state in read_states()) == len(SLOTS), SOON)
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM procrastinate_workers WHERE id = (SELECT min(worker_id) FROM job_workers)")
        assert ended.wait(SOON)
