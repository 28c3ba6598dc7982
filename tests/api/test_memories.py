"""Memories over HTTP."""

from __future__ import annotations

import pytest

from audit.models import AuditLog
from memories.models import Conversation, Memory
from stories.models import Passage
from tests.api.conftest import Api, at_once
from tests.building import build_conversation
from vibe.core.db.scopes import as_system, as_user

SAID = {"author": "Ada", "text": "I moved to Lisbon.", "occurred_at": "2026-05-12T09:30:00Z"}


@pytest.fixture
def conversation(begun) -> str:
    return f"/conversations/{begun(title='Moving')}"


def test_added_read_changed_and_forgotten(as_ada, conversation):
    added = as_ada.post(f"{conversation}/memories", SAID)
    assert added.status_code == 201
    path = f"/memories/{added.json()['id']}"
    assert added["Location"] == f"/api/v1{path}"
    assert added.json()["message_ids"] == [added.json()["id"]]
    assert as_ada.get(path).json() == added.json()
    changed = as_ada.patch(path, {"text": "I moved to Porto."}, if_match=added["ETag"])
    assert changed.json() == {**added.json(), "text": "I moved to Porto.", "updated_at": changed.json()["updated_at"]}
    assert as_ada.patch(path, {"text": "No."}, if_match=added["ETag"]).status_code == 412
    assert as_ada.delete(path).status_code == 204
    assert as_ada.get(path).status_code == 404
    assert as_ada.get(conversation).json()["memory_count"] == 0


def test_a_batch_is_added_whole_and_in_order(as_ada, conversation):
    batch = [{"author": "Ada", "text": f"Number {number}"} for number in range(1000)]
    added = as_ada.post(f"{conversation}/memories/batch", {"memories": batch})
    assert [each["text"] for each in added.json()["items"]] == [each["text"] for each in batch]
    assert as_ada.get(conversation).json()["memory_count"] == 1000
    seen, cursor = [], ""
    while cursor is not None:
        page = as_ada.get(f"{conversation}/memories?limit=200{cursor and '&cursor=' + cursor}").json()
        seen += [each["text"] for each in page["items"]]
        cursor = page["next"]
    assert seen == [each["text"] for each in batch]


@pytest.fixture
def nine(as_ada, conversation) -> list[str]:
    """Nine memories, two each of one time: their ids, in order."""
    said = [{**SAID, "text": str(at), "occurred_at": f"2026-05-12T09:3{at // 2}:00Z"} for at in range(9)]
    added = as_ada.post(f"{conversation}/memories/batch", {"memories": said}).json()["items"]
    return [each["id"] for each in added]


def shown(answer) -> list[str]:
    return [each["id"] for each in answer.json()["items"]]


def test_the_last_come_first_if_asked(as_ada, conversation, nine):
    seen, cursor = [], ""
    while cursor is not None:
        page = as_ada.get(f"{conversation}/memories?order=desc&limit=2{cursor and '&cursor=' + cursor}")
        seen += shown(page)
        as_ada.post(f"{conversation}/memories", SAID)  # meanwhile, and later than all of them
        cursor = page.json()["next"]
    assert [each for each in seen if each in nine] == nine[::-1]
    assert len(seen) == len(set(seen))
    backwards = as_ada.get(f"{conversation}/memories?order=desc&limit=2").json()["next"]
    assert as_ada.get(f"{conversation}/memories?cursor={backwards}").json()["code"] == "cursor-invalid"


def test_the_last_are_in_the_order_they_were_said(as_ada, conversation, nine):
    answer = as_ada.get(f"{conversation}/memories?last=4")
    assert (shown(answer), answer.json()["next"]) == (nine[-4:], None)
    assert shown(as_ada.get(f"{conversation}/memories?last=200")) == nine


@pytest.mark.parametrize(
    "case", [(4, 5, (2, 7)), (4, 4, (3, 7)), (4, 1, (4, 5)), (0, 5, (0, 3)), (8, 5, (6, 9)), (4, 200, (0, 9))]
)
def test_what_was_said_around_a_memory(as_ada, conversation, nine, case):
    at, limit, found = case
    answer = as_ada.get(f"{conversation}/memories?around={nine[at]}&limit={limit}")
    assert shown(answer) == nine[slice(*found)]
    following = answer.json()["next"]
    if found[1] == 9:
        assert following is None
    else:
        assert shown(as_ada.get(f"{conversation}/memories?cursor={following}")) == nine[found[1] :]


def test_around_what_is_not_of_the_conversation_there_is_nothing(as_ada, as_jonas, conversation, nine, begun):
    elsewhere = f"/conversations/{begun()}/memories"
    his = f"/conversations/{as_jonas.post('/conversations', {}).json()['id']}/memories"
    answers = [
        as_ada.get(f"{elsewhere}?around={nine[0]}"),
        as_jonas.get(f"{conversation}/memories?around={nine[0]}"),
        as_jonas.get(f"{his}?around={nine[0]}"),
        as_jonas.get(f"{conversation}/memories?last=1"),
    ]
    assert [each.status_code for each in answers] == [404] * 4


@pytest.mark.parametrize("query", ["last=1&around={}", "last=1&cursor=x", "around={}&order=desc", "last=1&order=desc"])
def test_only_one_of_them_is_taken(as_ada, conversation, nine, query):
    answer = as_ada.get(f"{conversation}/memories?{query.format(nine[0])}").json()
    assert (answer["status"], answer["errors"][0]["code"]) == (422, "together")


@pytest.mark.parametrize("batch", [[], [SAID] * 1001, [SAID, {"author": "Ada"}], [{**SAID, "message_id": "m"}] * 2])
def test_a_batch_that_cannot_be_taken_leaves_nothing(ada, as_ada, conversation, batch):
    assert as_ada.post(f"{conversation}/memories/batch", {"memories": batch}).status_code in (409, 422)
    with as_user(ada):
        assert (Memory.objects.of(ada).count(), Conversation.objects.of(ada).get().memory_count) == (0, 0)


def test_a_message_id_is_there_once_in_a_conversation(as_ada, conversation):
    assert as_ada.post(f"{conversation}/memories", {**SAID, "message_id": "m1"}).status_code == 201
    again = as_ada.post(f"{conversation}/memories", {**SAID, "message_id": "m1"})
    assert (again.status_code, again.json()["code"]) == (409, "message-id-taken")
    [there] = as_ada.get(f"{conversation}/memories").json()["items"]
    assert again.json()["existing_id"] == there["id"]
    assert as_ada.get(conversation).json()["memory_count"] == 1


def test_a_reply_that_is_generated_anew_takes_the_place_of_the_first(ada, as_ada, conversation):
    path = f"{conversation}/memories/by-message-id/m1"
    first = {**SAID, "role": "assistant", "metadata": {"tries": 1}, "occurred_at": "2026-05-12T09:30:00+02:00"}
    made = as_ada.put(path, first)
    assert (made.status_code, made["Location"]) == (201, f"/api/v1/memories/{made.json()['id']}")
    assert (made.json()["message_ids"], made.json()["utc_offset"]) == (["m1"], 120)
    again = as_ada.put(path, {"author": "Nova", "text": "I moved to Porto."})
    changed = {"author": "Nova", "text": "I moved to Porto.", "metadata": {}, "updated_at": again.json()["updated_at"]}
    assert (again.status_code, again.json()) == (200, {**made.json(), **changed})
    at = {"occurred_at": "2026-05-12T06:30:00Z", "utc_offset": -180}
    later = as_ada.put(path, {**SAID, "occurred_at": "2026-05-12T03:30:00-03:00"}).json()
    assert {name: later[name] for name in at} == at
    assert as_ada.get(conversation).json()["memory_count"] == 1
    assert not search(as_ada, "Porto")
    assert search(as_ada, "Lisbon") == [made.json()["id"]]


def search(api, question) -> list[str]:
    found = api.post("/memories/search", {"question": question, "limit": 5}).json()["items"]
    return [each["id"] for each in found if question in each["text"]]


def test_what_cannot_be_put_changes_nothing(as_ada, as_jonas, conversation, begun):
    path = f"{conversation}/memories/by-message-id/m1"
    there = as_ada.put(path, SAID).json()
    assert as_ada.put(path, {"author": "Ada"}).json()["code"] == "invalid"
    assert as_ada.put(path, {**SAID, "message_id": "m2"}).json()["code"] == "invalid"
    assert as_ada.put(path, {**SAID, "expires_at": "2020-01-01T00:00:00Z"}).json()["code"] == "expiry-past"
    assert as_jonas.put(path, SAID).status_code == 404
    assert as_ada.put(f"/conversations/{begun()}/memories/by-message-id/m1", SAID).json()["id"] != there["id"]
    assert as_ada.get(f"/memories/{there['id']}").json() == there


def test_puts_at_once_are_one_memory(really_ada):
    conversation = f"/conversations/{really_ada.post('/conversations', {}).json()['id']}"
    put = f"{conversation}/memories/by-message-id/m1"
    answers = at_once(lambda each: Api("ada").put(put, {**SAID, "text": f"Try {each}."}), 4)
    assert sorted(each.status_code for each in answers) == [200] * 3 + [201]
    assert really_ada.get(conversation).json()["memory_count"] == 1


def test_search_forgets_at_once_what_is_corrected_or_deleted(ada, as_ada, conversation):
    ids = [
        each["id"] for each in as_ada.post(f"{conversation}/memories/batch", {"memories": [SAID] * 3}).json()["items"]
    ]
    with as_user(ada):
        conversation_id = Conversation.objects.of(ada).get().pk
    build_conversation(ada, conversation_id)
    as_ada.patch(f"/memories/{ids[0]}", {"text": "I stayed."})
    as_ada.delete(f"/memories/{ids[1]}")
    with as_user(ada):
        left = Passage.objects.of(ada).order_by("memory_id")
        assert [(str(each.memory_id), each.memory_revision) for each in left] == [(ids[0], 2), (ids[2], 1)]


def test_each_change_is_recorded_with_its_request(ada, as_ada, conversation):
    added = as_ada.post(f"{conversation}/memories", SAID)
    with as_system():
        rows = AuditLog.objects.about(ada).filter(request_id=added["X-Request-ID"])
        assert {(row.action, row.actor_kind, row.outcome) for row in rows} == {
            ("memories.add", "person", "ok"),
            ("api:add_memory", "person", "ok"),
        }
    as_ada.get(f"/memories/{added.json()['id']}")
    log = as_ada.get("/me/access-log").json()["items"]
    assert [each["action"] for each in log[:3]] == ["api:get_memory", "api:add_memory", "memories.add"]
    assert not any("Lisbon" in str(each) for each in log)


def test_activity_follows_what_is_said(as_ada, conversation):
    as_ada.post(f"{conversation}/memories", {**SAID, "occurred_at": "2100-01-01T00:00:00Z"})
    assert as_ada.get(conversation).json()["active_at"] == "2100-01-01T00:00:00Z"


PICTURE = {"mime": "image/png", "width": 640, "height": 480.5, "shared": True, "album": None}


def test_everything_that_is_given_is_kept_and_shown(as_ada, conversation):
    said = {
        "author": "Nova",
        "role": "assistant",
        "text": "Welcome!",
        "metadata": PICTURE,
        "message_id": "m1",
        "occurred_at": "2026-05-12T11:30:00+02:00",
        "expires_at": "2100-01-01T01:00:00+01:00",
    }
    added = as_ada.post(f"{conversation}/memories", said).json()
    kept = {**said, "occurred_at": "2026-05-12T09:30:00Z", "utc_offset": 120, "expires_at": "2100-01-01T00:00:00Z"}
    del kept["message_id"]
    assert added == {**added, **kept}
    assert as_ada.get(f"/memories/{added['id']}").json() == added
    assert as_ada.get(f"{conversation}/memories").json()["items"] == [added]
    [again] = as_ada.post(f"{conversation}/memories/batch", {"memories": [{**said, "message_id": "m2"}]}).json()[
        "items"
    ]
    assert again == {**again, **kept}


def test_what_is_left_out_is_told_or_not_there(as_ada, conversation):
    for author, role in {"Ada": "user", "assistant": "assistant", "Nova": "other"}.items():
        added = as_ada.post(f"{conversation}/memories", {"author": author, "text": "Hello."}).json()
        assert (added["role"], added["metadata"], added["utc_offset"], added["expires_at"]) == (role, {}, None, None)
        nulls = {"role": None, "metadata": None, "occurred_at": None, "expires_at": None}
        told = as_ada.post(f"{conversation}/memories", {"author": author, "text": "Hello.", **nulls}).json()
        assert (told["role"], told["metadata"]) == (role, {})


def test_a_picture_is_a_memory_without_a_text(as_ada, conversation):
    added = as_ada.post(f"{conversation}/memories", {"author": "Ada", "metadata": PICTURE})
    assert (added.status_code, added.json()["text"], added.json()["metadata"]) == (201, "", PICTURE)
    assert as_ada.get(f"{conversation}/memories").json()["items"] == [added.json()]


@pytest.mark.parametrize("nothing", [{}, {"text": ""}, {"metadata": {}}, {"text": "", "metadata": None}])
def test_a_memory_without_anything_is_refused_by_its_place(as_ada, conversation, nothing):
    batch = {"memories": [SAID, {"author": "Ada", **nothing}]}
    answer = as_ada.post(f"{conversation}/memories/batch", batch)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.memories[1]")
    picture = as_ada.post(f"{conversation}/memories", {"author": "Ada", "metadata": PICTURE}).json()["id"]
    answer = as_ada.patch(f"/memories/{picture}", {"metadata": None})
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing-said")


def test_a_change_replaces_takes_away_and_leaves(as_ada, conversation):
    said = {"metadata": PICTURE, "occurred_at": "2026-05-12T11:30:00+02:00", "expires_at": "2100-01-01T00:00:00Z"}
    added = as_ada.post(f"{conversation}/memories", {**SAID, **said}).json()

    def changed(**what):
        answer = as_ada.patch(f"/memories/{added['id']}", what).json()
        assert as_ada.get(f"/memories/{added['id']}").json() == answer
        return {name: value for name, value in answer.items() if value != added[name] and name != "updated_at"}

    assert changed(role="other") == {"role": "other"}
    assert changed(role=None, text=None, author=None, occurred_at=None) == {"role": "other"}
    assert changed(metadata={"mood": "glad"}) == {"role": "other", "metadata": {"mood": "glad"}}
    assert changed(metadata=None, role="user") == {"metadata": {}}
    assert changed(expires_at=None, metadata=PICTURE) == {"expires_at": None}
    at = {"occurred_at": "2026-05-12T10:00:00Z", "utc_offset": -180, "expires_at": None}
    assert changed(occurred_at="2026-05-12T07:00:00-03:00") == at


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("role", "admin"),
        ("role", "User"),
        ("role", 1),
        ("metadata", []),
        ("metadata", {"k": {}}),
        ("metadata", {"k": ["canary"]}),
        ("metadata", {f"k{at}": "canary" for at in range(51)}),
        ("metadata", {"canary": "x" * 4096}),
        ("expires_at", "2100-01-01"),
        ("utc_offset", 120),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_not_said_back(as_ada, conversation, member, value):
    added = as_ada.post(f"{conversation}/memories", SAID).json()["id"]
    for answer in (
        as_ada.post(f"{conversation}/memories", {**SAID, member: value}),
        as_ada.patch(f"/memories/{added}", {member: value}),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"body.{member}")
        assert "canary" not in answer.content.decode()


def test_an_expiry_that_is_past_is_refused(as_ada, conversation):
    answer = as_ada.post(f"{conversation}/memories", {**SAID, "expires_at": "2020-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["code"]) == (422, "expiry-past")
    assert as_ada.get(conversation).json()["memory_count"] == 0
