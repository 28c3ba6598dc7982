"""What was said in a time is forgotten in batches, of one person alone, with what search and stories have of it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from audit.models import AuditLog
from memories.models import Conversation, Memory
from memories.services import changing, forgetting
from stories.models import Passage, Story
from tests.building import build_conversation
from tests.cast import TESTER
from vibe.core.db.scopes import as_system, as_user


@pytest.fixture
def said(as_ada):
    """Two conversations, one with Nova, of four memories each: one a day, the first of May on. Their ids by day."""

    def say(number, **given):
        path = f"/conversations/{as_ada.post('/conversations', given).json()['id']}/memories/batch"
        each = [
            {"author": "Ada", "text": f"Day {day} of {number}.", "occurred_at": f"2026-05-0{day}T10:00:00Z"}
            for day in (1, 2, 3, 4)
        ]
        return [memory["id"] for memory in as_ada.post(path, {"memories": each}).json()["items"]]

    return say(1, companion="nova"), say(2)


def left(user_id) -> set[str]:
    with as_user(user_id):
        assert set(Passage.objects.of(user_id).values_list("memory_id", flat=True)) == set(
            Memory.objects.of(user_id).values_list("pk", flat=True)
        )
        counts = Conversation.objects.of(user_id).values_list("memory_count", flat=True)
        assert sum(counts) == Memory.objects.of(user_id).count()
        return {str(each) for each in Memory.objects.of(user_id).values_list("pk", flat=True)}


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("since=2026-05-02T10:00:00Z&until=2026-05-03T10:00:00Z", ((1, 2), (1, 2))),
        ("since=2026-05-04T00:00:00Z", ((3,), (3,))),
        ("until=2026-05-01T12:00:00%2B02:00", ((0,), (0,))),
        ("until=2026-05-01T11:59:59%2B02:00", ((), ())),
        ("since=2026-05-03T00:00:00Z&companion=nova", ((2, 3), ())),
        ("since=2026-05-03T00:00:00Z&companion=Nova", ((), ())),
    ],
)
def test_what_was_said_in_a_time_is_gone(ada, as_ada, said, query, days):
    gone = {said[number][at] for number in (0, 1) for at in days[number]}
    answer = as_ada.delete(f"/memories?{query}")
    assert (answer.status_code, answer.json()["more"]) == (200, False)
    assert {each["id"] for each in answer.json()["items"]} == gone
    assert left(ada) == {*said[0], *said[1]} - gone


def test_of_one_conversation_alone(ada, as_ada, said):
    conversation = as_ada.get(f"/memories/{said[0][0]}").json()["conversation_id"]
    as_ada.delete(f"/memories?until={timezone.now():%Y-%m-%dT%H:%M:%SZ}&conversation_id={conversation}")
    assert left(ada) == set(said[1])


def test_it_goes_in_batches_and_a_retry_takes_no_more(ada, as_ada, said, monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH", 3)
    path, counts = "/memories?since=2026-05-01T00:00:00Z", []
    first, again = (as_ada.delete(path, idempotency_key="k") for _ in range(2))
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert len(left(ada)) == 5
    while True:
        answer = as_ada.delete(path).json()
        counts.append(len(answer["items"]))
        if not answer["more"]:
            break
    assert (counts, left(ada)) == ([3, 2], set())


def test_another_persons_are_not_touched(ada, as_jonas, said):
    conversation = said[0][0]
    for query in ("since=1900-01-01T00:00:00Z", f"since=1900-01-01T00:00:00Z&conversation_id={conversation}"):
        assert as_jonas.delete(f"/memories?{query}").json() == {"items": [], "more": False}
    assert left(ada) == {*said[0], *said[1]}


def test_without_a_time_nothing_is(ada, as_ada, said):
    for query in ("", "?companion=nova", "?since=yesterday", "?from=2026-05-01T00:00:00Z"):
        assert as_ada.delete(f"/memories{query}").status_code == 422
    assert as_ada.delete("/memories").json()["code"] == "range-missing"
    assert left(ada) == {*said[0], *said[1]}


def test_stories_and_search_say_it_no_more_and_each_is_recorded(ada, as_ada, said):
    with as_user(ada):
        conversations = list(Conversation.objects.of(ada).values_list("pk", flat=True))
    for each in conversations:
        build_conversation(ada, each)
    answer = as_ada.delete("/memories?since=2026-05-02T00:00:00Z")
    with as_user(ada):
        told = {str(each) for story in Story.objects.of(ada) for each in story.memory_ids}
    assert told == {said[0][0], said[1][0]}
    found = as_ada.post("/memories/search", {"question": "Day 3"}).json()["items"]
    assert {each["id"] for each in found} <= {said[0][0], said[1][0]}
    with as_system():
        rows = AuditLog.objects.about(ada).filter(action="memory.delete")
        assert {row.resource for row in rows} == {f"memories/{each['id']}" for each in answer.json()["items"]}


def test_what_was_moved_out_of_the_time_meanwhile_stays(ada, as_ada, said, monkeypatch):
    """Between choosing and locking: the control is a batch that does not look again."""
    lock, moved = Conversation.objects.of, iter([True])

    def of(user_id):
        if next(moved, False):
            with as_user(ada):
                changing.change_memory(user_id=ada, memory_id=said[0][0], actor=TESTER, occurred_at=timezone.now())
        return lock(user_id)

    monkeypatch.setattr(Conversation.objects, "of", of)
    as_ada.delete("/memories?until=2026-05-01T23:00:00Z")
    assert left(ada) == {*said[0], *said[1]} - {said[1][0]}
