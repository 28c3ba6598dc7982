"""Attack: two first requests of one person at the same moment, over the API, with real commits.

One person and one data key come of it, and both are let in as that person.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from accounts.authentication import local_tokens
from accounts.models import User, UserKey
from accounts.people.services import people
from audit.models import AuditLog
from tests.attacks.corpus import tries
from tests.authentication.conftest import WHO
from vibe.core.db.scopes import as_system

pytestmark = pytest.mark.usefixtures("committed")
ROUNDS = tries(25, 1_000)


@pytest.fixture
def at_once(settings: Any) -> Iterator[Callable[[str], list[Any]]]:
    """Two threads, each with a connection of its own, that ask together: at_once(uid) -> both answers."""
    settings.ROOT_URLCONF = "tests.authentication.api"
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.API_LIMIT_STRANGER = "off"
    start = threading.Barrier(2)

    def ask(token: str) -> Any:
        client = Client(raise_request_exception=False)
        start.wait(600)
        return client.get(WHO, headers={"authorization": f"Bearer {token}"})

    pools = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]

    def both(uid: str) -> list[Any]:
        token = local_tokens.issue(uid=uid, email=f"{uid}@example.com")
        return [future.result(600) for future in [pool.submit(ask, token) for pool in pools]]

    yield both
    for pool in pools:
        pool.submit(connections.close_all).result(10)
        pool.shutdown()


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see that nobody is there yet before either inserts."""
    insert, met = people.insert_person, threading.Barrier(2)

    def insert_together(*given: Any) -> bool:
        met.wait(600)
        return insert(*given)

    monkeypatch.setattr(people, "insert_person", insert_together)


def made() -> tuple[int, int, int]:
    """People, data keys, and rows of the trail that say that somebody was made."""
    with as_system():
        keys = Counter(UserKey.objects.values_list("user_id", flat=True))
        assert set(keys.values()) <= {1}
        return User.objects.count(), len(keys), AuditLog.objects.filter(action="person.create").count()


def test_two_first_requests_at_once_make_one_person_and_one_key(at_once: Callable[[str], list[Any]]) -> None:
    for number in range(ROUNDS):
        answers = at_once(f"person-{number}")
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["id"] == answers[1].json()["id"]
    assert made() == (ROUNDS, ROUNDS, ROUNDS)


@pytest.mark.usefixtures("together")
def test_also_when_both_have_seen_that_nobody_is_there(at_once: Callable[[str], list[Any]]) -> None:
    for number in range(ROUNDS):
        answers = at_once(f"person-{number}")
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["id"] == answers[1].json()["id"]
    assert made() == (ROUNDS, ROUNDS, ROUNDS)


def plain_insert(user_id: Any, profile: people.Profile) -> bool:
    """As somebody would write it who forgets that others do the same."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO users (id, firebase_uid, email_verified, password, is_active, is_staff, is_superuser, "
            "updated_at) VALUES (%s, %s, false, '!', true, false, false, now())",
            [user_id, profile.firebase_uid],
        )
    return True


def test_control_with_a_plain_insert_one_of_them_fails(
    at_once: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(people, "insert_person", plain_insert)
    request.getfixturevalue("together")
    assert sorted(answer.status_code for answer in at_once("somebody")) == [200, 503]


def test_control_without_the_unique_index_there_are_two(
    at_once: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(people, "insert_person", plain_insert)
    request.getfixturevalue("together")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE users DROP CONSTRAINT users_firebase_uid_key")
    try:
        at_once("somebody")
        assert made() == (2, 2, 2)
    finally:
        with as_system(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE none; TRUNCATE users CASCADE")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE users ADD CONSTRAINT users_firebase_uid_key UNIQUE (firebase_uid)")
