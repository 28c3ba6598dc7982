"""What is retried is done once, and answered the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.idempotency import forget_answers
from accounts.models import KeptAnswer
from memories.models import Conversation, Memory
from tests.api.conftest import Api, at_once
from tests.cast import TESTER
from vibe.core.db.scopes import as_user

SAID = {"author": "Ada", "text": "I moved to Lisbon."}


def count(user_id) -> int:
    with as_user(user_id):
        return Memory.objects.of(user_id).count()


def test_a_retry_is_answered_the_same(ada, as_ada, begun):
    path = f"/conversations/{begun()}/memories"
    first, again = (as_ada.post(path, SAID, idempotency_key="k") for _ in range(2))
    assert (again.status_code, again.content) == (201, first.content)
    assert [again[name] for name in ("ETag", "Location")] == [first[name] for name in ("ETag", "Location")]
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert count(ada) == 1
    as_ada.post(path, SAID, idempotency_key="other")
    assert count(ada) == 2


def test_deleting_again_is_answered_as_the_first_time(as_ada, begun):
    path = f"/conversations/{begun()}"
    assert [as_ada.delete(path, idempotency_key="k").status_code for _ in range(2)] == [204, 204]
    assert as_ada.delete(path).status_code == 404


def test_a_key_is_for_one_request(ada, as_ada, begun):
    path = f"/conversations/{begun()}/memories"
    as_ada.post(path, SAID, idempotency_key="k")
    for answer in (
        as_ada.post(path, {**SAID, "text": "Else"}, idempotency_key="k"),
        as_ada.post("/conversations", {}, idempotency_key="k"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-used")
    assert count(ada) == 1


def test_a_key_is_of_its_person(ada, jonas, as_ada, as_jonas):
    as_ada.post("/conversations", {"title": "x"}, idempotency_key="k")
    other = as_jonas.post("/conversations", {"title": "x"}, idempotency_key="k")
    assert "Idempotency-Replayed" not in other
    with as_user(jonas):
        assert Conversation.objects.of(jonas).count() == 1


def test_what_failed_is_not_kept(ada, as_ada, begun):
    path = f"/conversations/{begun()}/memories"
    as_ada.post(path, {**SAID, "message_id": "m"})
    assert as_ada.post(path, {**SAID, "message_id": "m"}, idempotency_key="k").status_code == 409
    assert as_ada.post(path, {**SAID, "message_id": "n"}, idempotency_key="k").status_code == 201
    assert count(ada) == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "ü"])
def test_a_key_that_cannot_be_taken(as_ada, key):
    answer = as_ada.post("/conversations", {}, idempotency_key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-malformed")


def test_the_answer_is_sealed(ada, as_ada, begun):
    as_ada.post(f"/conversations/{begun()}/memories", SAID, idempotency_key="telling-key")
    with connection.cursor() as cursor, as_user(ada):
        cursor.execute("SELECT key, answer FROM kept_answers")
        [(key, answer)] = cursor.fetchall()
    assert b"Lisbon" not in bytes(answer)
    assert b"telling" not in bytes(key)


def test_answers_are_kept_for_a_day(ada, as_ada):
    as_ada.post("/conversations", {}, idempotency_key="old")
    as_ada.post("/conversations", {}, idempotency_key="older")
    with as_user(ada):
        KeptAnswer.objects.of(ada).update(created_at=timezone.now() - timedelta(hours=25))
    assert "Idempotency-Replayed" not in as_ada.post("/conversations", {}, idempotency_key="old")
    assert forget_answers(actor=TESTER) == 1
    with as_user(ada):
        assert KeptAnswer.objects.of(ada).count() == 1


def test_requests_at_once_with_one_key_are_one(really_ada):
    conversation = really_ada.post("/conversations", {}).json()
    path = f"/conversations/{conversation['id']}/memories"
    answers = at_once(lambda _: Api("ada").post(path, SAID, idempotency_key="k"), 8)
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert really_ada.get(f"/conversations/{conversation['id']}").json()["memory_count"] == 1


def test_control_without_the_key_they_are_many(really_ada):
    conversation = really_ada.post("/conversations", {}).json()
    path = f"/conversations/{conversation['id']}/memories"
    at_once(lambda _: Api("ada").post(path, SAID), 3)
    assert really_ada.get(f"/conversations/{conversation['id']}").json()["memory_count"] == 3
