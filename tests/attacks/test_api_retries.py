"""Retries at once, while connections are killed under them: nothing is lost, nothing is there twice.

VIBE_ATTACK=full sends 10,000 requests; here fewer.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts.people.services.people import Profile, ensure_person
from memories.models import Conversation, Memory
from tests.api.conftest import Api
from tests.cast import TESTER
from vibe.core.db.scopes import as_user

FULL = os.environ.get("VIBE_ATTACK") == "full"
KEYS, FEW, AT_ONCE, THREADS = (2_500 if FULL else 30), 30, 4, 8
REQUESTS_A_KILL = 10
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user "
    "ORDER BY random() LIMIT 1"
)


@pytest.fixture(autouse=True)
def without_limits(settings: Any) -> None:
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"


class Saboteur(threading.Thread):
    """Ends a connection whenever some more requests were sent, so that a slow machine gets through as well."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.due = itertools.count(1), threading.Semaphore(0)
        self.done, self.killed = False, 0

    def one_more(self) -> None:
        """A request is about to be sent."""
        if next(self.sent) % REQUESTS_A_KILL == 0:
            self.due.release()

    def stop(self) -> None:
        self.done = True
        self.due.release()
        self.join()

    def run(self) -> None:
        try:
            while self.due.acquire() and not self.done:
                with connection.cursor() as cursor:
                    cursor.execute(KILL)
                    self.killed += cursor.rowcount
        finally:
            connection.close()


def begun() -> tuple[UUID, str]:
    """Ada, and a conversation of hers."""
    user_id = ensure_person(profile=Profile("ada"), actor=TESTER)
    return user_id, Api("ada").post("/conversations", {}).json()["id"]


def insist(path: str, number: int, keyed: bool, saboteur: Saboteur) -> bytes:
    """Ask until it is answered; what the answer was."""
    headers = {"idempotency_key": f"key-{number}"} if keyed else {}
    while True:
        saboteur.one_more()
        answer = Api("ada").post(path, {"author": "Ada", "text": f"Message {number}."}, **headers)
        if answer.status_code == 201:
            return bytes(answer.content)
        assert answer.status_code in (409, 500, 503), answer.content
        connection.close()
        time.sleep(0.01)


def storm(path: str, *, keys: int, keyed: bool) -> tuple[dict[int, set[bytes]], int]:
    """Every key by several at once, in any order; the answers of each, and how many connections were killed."""
    asked = [number for number in range(keys) for _ in range(AT_ONCE)]
    near = sorted(range(len(asked)), key=lambda place: place + random.random() * 3 * AT_ONCE)
    answers: dict[int, set[bytes]] = defaultdict(set)

    saboteur = Saboteur()

    def one(place: int) -> None:
        try:
            answers[asked[place]].add(insist(path, asked[place], keyed, saboteur))
        finally:
            connection.close()

    saboteur.start()
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(one, near))
    finally:
        saboteur.stop()
    return answers, saboteur.killed


def kept(user_id: UUID) -> tuple[int, int]:
    """How many memories there are, and how many the conversation counts."""
    with as_user(user_id):
        return Memory.objects.of(user_id).count(), Conversation.objects.of(user_id).get().memory_count


@pytest.mark.filterwarnings("ignore")  # of connections that were killed
def test_nothing_is_lost_and_nothing_doubled(committed: None, record_property: Callable[[str, object], None]) -> None:
    user_id, conversation = begun()
    answers, killed = storm(f"/conversations/{conversation}/memories", keys=KEYS, keyed=True)
    connection.close()
    assert killed > 0
    assert {len(each) for each in answers.values()} == {1}
    assert kept(user_id) == (KEYS, KEYS)
    record_property("figure", f"{KEYS * AT_ONCE:,} requests, {killed} connections killed, 0 lost, 0 doubled")


@pytest.mark.filterwarnings("ignore")
def test_control_without_keys_they_are_doubled(committed: None) -> None:
    user_id, conversation = begun()
    storm(f"/conversations/{conversation}/memories", keys=FEW, keyed=False)
    connection.close()
    assert kept(user_id)[0] >= FEW * AT_ONCE
