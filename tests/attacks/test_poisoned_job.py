"""Fault: a build that always fails, and a job that takes its worker down. Others are not held up; the one is tried at
growing distances, the other ends as failed; each says why without content, and is seen by whoever looks after it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection
from procrastinate import utils
from procrastinate.contrib.django import app

from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from stories import tasks
from tests.cast import TESTER
from tests.installation import Installation
from tests.processes import until
from tests.stories.conftest import LISBON
from tests.writers import Writer
from vibe.core.db.scopes import as_system

CANARY = "the heron at the weir"
ALTER = """
UPDATE encrypted_memories SET payload = set_byte(payload, 20, (get_byte(payload, 20) + 1) %% 256)
WHERE conversation_id = %(conversation)s
"""
NOW = "UPDATE stories SET due_at = now() WHERE conversation_id = %(conversation)s"


def told(installation: Installation, conversation_id: str) -> bool:
    """Whether the story of a conversation is there."""
    built = "SELECT 1 FROM stories WHERE conversation_id = %s AND built_at IS NOT NULL"
    return bool(installation.ask(built, conversation_id))


def begun(writer: Writer) -> str:
    """A conversation with one memory."""
    made = writer.send("POST", "/api/v1/conversations", {"title": CANARY})["id"]
    writer.send("POST", f"/api/v1/conversations/{made}/memories", {"author": "Ada", "text": f"I saw {CANARY}."})
    return str(made)


def test_one_that_always_fails_holds_nobody_up_and_is_seen(installation: Installation) -> None:
    writer = Writer(0, installation.web.port, local_tokens.issue(uid="poisoned"), threading.Event())
    poisoned = begun(writer)
    installation.do("SET session_replication_role = replica", ALTER, conversation=poisoned)
    good = [begun(writer) for _ in range(3)]
    installation.start_worker()
    tried = "SELECT tries, failure, due_at - now() FROM stories WHERE conversation_id = %s"
    try:
        until(lambda: all(told(installation, each) for each in good))
        pauses = []
        for tries in range(1, 5):
            until(lambda tries=tries: installation.ask(tried, poisoned)[0][0] == tries)
            [(_, failure, pause)] = installation.ask(tried, poisoned)
            assert CANARY not in failure
            pauses.append(pause)
            installation.do(NOW, conversation=poisoned)
        assert pauses == sorted(pauses) and pauses[-1] > 4 * pauses[0], "each pause is twice the one before"
        good.append(begun(writer))
        until(lambda: told(installation, good[-1]))
        assert not told(installation, poisoned)
        doctor = {
            each["check"]: each["findings"]
            for each in json.loads(installation.manage("doctor", "--json").stdout)["checks"]
        }
        assert "1 stories could not be built, and are tried again." in [each["what"] for each in doctor["jobs"]]
        reasons = installation.ask(
            "SELECT DISTINCT action, outcome, reason FROM audit_logs JOIN stories s ON resource = 'stories/' || s.id "
            "WHERE s.conversation_id = %s AND outcome <> 'ok'",
            poisoned,
        )
        assert reasons == [("story.build", "failed", "seal-broken")]
        assert CANARY not in (installation.folder / "worker.log").read_text()
    finally:
        installation.do("UPDATE stories SET due_at = NULL WHERE conversation_id = %(it)s", it=poisoned)


# One that takes its worker down


@pytest.fixture
def ada_waiting(committed: None, tell: Callable[..., None]) -> UUID:
    ada = ensure_person(profile=Profile(firebase_uid="ada"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    return ada


def die(heard: str = "-1 hour") -> None:
    """A worker took the job and was not heard of since then."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + %s::interval) RETURNING id", [heard]
        )
        [worker] = cursor.fetchone()
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", [worker])


def take_up() -> str:
    """What becomes of the job."""

    async def taken_up() -> None:
        async with app.open_async():
            await tasks.take_up_stalled.func(timestamp=0)

    with app.replace_connector(app.connector.get_worker_connector()):
        utils.async_to_sync(taken_up)
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT status::text FROM procrastinate_jobs WHERE task_name = 'stories.index_imported'")
        return str(cursor.fetchone()[0])


def test_one_that_takes_its_worker_down_is_given_up(ada_waiting: UUID) -> None:
    found = []
    for _ in range(tasks.MOST_STALLS + 1):
        die()
        found.append(take_up())
    assert found == ["todo"] * tasks.MOST_STALLS + ["failed"]


def test_it_is_not_tried_every_hour(ada_waiting: UUID) -> None:
    die()
    with as_system(), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET attempts = %s", [tasks.MOST_STALLS])
    assert take_up() == "failed"

    async def tried_again() -> None:
        async with app.open_async():
            await tasks.index_again.func(timestamp=0)

    with app.replace_connector(app.connector.get_worker_connector()):
        utils.async_to_sync(tried_again)
    assert take_up() == "failed"


def test_control_without_that_it_goes_on_for_ever(ada_waiting: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MOST_STALLS", 10**6)
    for _ in range(15):
        die()
        assert take_up() == "todo"


def pass_by(interval: str) -> None:
    """Time passes for the workers."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - %s::interval", [interval])


def test_one_whose_worker_died_while_the_clock_was_ahead_is_taken_up(ada_waiting: UUID) -> None:
    die("20 hours")
    assert take_up() == "doing", "it may live"
    pass_by("2 minutes")
    assert take_up() == "todo"


def test_control_by_its_heartbeat_alone_it_would_live_for_hours(
    ada_waiting: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "CLOCK_SET_BACK", "SELECT 1")
    die("20 hours")
    assert take_up() == "doing"
    pass_by("2 minutes")
    assert take_up() == "doing"


# A database that is away


@pytest.mark.parametrize(
    ("problem", "attempts", "again"),
    [
        (tasks.JobFailed("x"), 4, True),
        (tasks.JobFailed("x"), 5, False),
        (tasks.DatabaseAway("x"), 4, True),
        (tasks.DatabaseAway("x"), 500, True),
    ],
)
def test_a_database_that_is_away_uses_up_no_attempts(problem: Exception, attempts: int, again: bool) -> None:
    job = type("Job", (), {"attempts": attempts})()
    assert (tasks.Retry().get_retry_decision(exception=problem, job=job) is not None) == again
