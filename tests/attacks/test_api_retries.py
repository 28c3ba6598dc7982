"""Retries at once, while connections are killed under them: nothing is lost, nothing is there twice.

VIBE_ATTACK=full sends 10,000 requests; here fewer.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts.services import Profile, ensure_person
from memories.models import Conversation, Memory
from tests.api.conftest import Api
from tests.conftest import TESTER
from vibe.db.contexts import as_user

FULL = os.environ.get("VIBE_ATTACK") == "full"
KEYS, AT_ONCE, THREADS = (2_500 if FULL else 30), 4, 8
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user "
    "ORDER BY random() LIMIT 1"
)


@pytest.fixture(autouse=True)
def without_limits(settings: Any) -> None:
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = None


class Saboteur(threading.Thread):
    """Ends a connection four times a second: more often, and on a busy machine nothing gets through."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()
        self.killed = 0

    def run(self) -> None:
        try:
            while not self.done.wait(0.25):
                with connection.cursor() as cursor:
                    cursor.execute(KILL)
                    self.killed += cursor.rowcount
        finally:
            connection.close()


def begun() -> tuple[UUID, str]:
    """Ada, and a conversation of hers."""
    user_id = ensure_person(profile=Profile("ada"), actor=TESTER)
    return user_id, Api("ada").post("/conversations", {}).json()["id"]


def insist(path: str, number: int, keyed: bool) -> bytes:
    """Ask until it is answered; what the answer was."""
    headers = {"idempotency_key": f"key-{number}"} if keyed else {}
    while True:
        answer = Api("ada").post(path, {"author": "Ada", "text": f"Message {number}."}, **headers)
        if answer.status_code == 201:
            return bytes(answer.content)
        assert answer.status_code in (409, 500, 503), answer.content
        connection.close()
        time.sleep(0.01)


def storm(path: str, *, keyed: bool) -> tuple[dict[int, set[bytes]], int]:
    """Every key by several at once, in any order; the answers of each, and how many connections were killed."""
    asked = [number for number in range(KEYS) for _ in range(AT_ONCE)]
    near = sorted(range(len(asked)), key=lambda place: place + random.random() * 3 * AT_ONCE)
    answers: dict[int, set[bytes]] = defaultdict(set)

    def one(place: int) -> None:
        try:
            answers[asked[place]].add(insist(path, asked[place], keyed))
        finally:
            connection.close()

    saboteur = Saboteur()
    saboteur.start()
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(one, near))
    finally:
        saboteur.done.set()
        saboteur.join()
    return answers, saboteur.killed


def kept(user_id: UUID) -> tuple[int, int]:
    """How many memories there are, and how many the conversation counts."""
    with as_user(user_id):
        return Memory.objects.of(user_id).count(), Conversation.objects.of(user_id).get().memory_count


@pytest.mark.filterwarnings("ignore")  # of connections that were killed
def test_nothing_is_lost_and_nothing_doubled(committed: None) -> None:
    user_id, conversation = begun()
    answers, killed = storm(f"/conversations/{conversation}/memories", keyed=True)
    connection.close()
    assert killed > 0
    assert {len(each) for each in answers.values()} == {1}
    assert kept(user_id) == (KEYS, KEYS)


@pytest.mark.filterwarnings("ignore")
def test_control_without_keys_they_are_doubled(committed: None) -> None:
    user_id, conversation = begun()
    storm(f"/conversations/{conversation}/memories", keyed=False)
    connection.close()
    assert kept(user_id)[0] >= KEYS * AT_ONCE
