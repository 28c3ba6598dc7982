"""Conversations over HTTP: what one does comes back, in order, and nobody else's."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from memories.models import Conversation
from memories.services import conversations as verbs
from stories.models import Story
from tests.api.conftest import Api, at_once
from vibe.core.db.scopes import as_user


def test_begun_read_changed_and_deleted(as_ada):
    made = as_ada.post("/conversations", {"title": "Moving", "started_at": "2026-05-12T11:30:00+02:00"})
    assert made.status_code == 201
    assert made["Location"] == f"/api/v1/conversations/{made.json()['id']}"
    assert made.json()["started_at"] == "2026-05-12T09:30:00Z"
    path = f"/conversations/{made.json()['id']}"
    found = as_ada.get(path)
    assert (found.json(), found["ETag"]) == (made.json(), made["ETag"])
    changed = as_ada.patch(path, {"title": None, "description": "Boxes"}, if_match=found["ETag"])
    assert (changed.json()["title"], changed.json()["description"]) == (None, "Boxes")
    assert changed["ETag"] != found["ETag"]
    assert as_ada.get(path).json() == changed.json()
    gone = as_ada.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert as_ada.get(path).status_code == 404


def test_a_change_of_what_was_changed_since_is_refused(as_ada, begun):
    path = f"/conversations/{begun(title='One')}"
    seen = as_ada.get(path)["ETag"]
    as_ada.patch(path, {"title": "Two"})
    refused = as_ada.patch(path, {"title": "Three"}, if_match=seen)
    assert (refused.status_code, refused.json()["code"]) == (412, "outdated")
    assert as_ada.delete(path, if_match=seen).status_code == 412
    assert as_ada.get(path).json()["title"] == "Two"
    assert as_ada.patch(path, {"title": "Three"}, if_match="*").status_code == 200
    assert as_ada.patch(path, {"title": "Four"}, if_match=as_ada.get(path)["ETag"].join(["W/", ""])).status_code == 200


def test_what_one_has_seen_is_not_sent_again(as_ada, begun):
    path = f"/conversations/{begun(title='One')}"
    seen = as_ada.get(path)["ETag"]
    again = as_ada.get(path, if_none_match=seen)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", seen)
    as_ada.patch(path, {"title": "Two"})
    assert as_ada.get(path, if_none_match=seen).status_code == 200


def test_archived_ones_are_listed_apart(as_ada, begun):
    one, two = begun(title="One"), begun(title="Two")
    assert as_ada.post(f"/conversations/{one}/archive").json()["is_archived"] is True
    assert [each["id"] for each in as_ada.get("/conversations").json()["items"]] == [two]
    assert [each["id"] for each in as_ada.get("/conversations?archived=true").json()["items"]] == [one]
    assert as_ada.post(f"/conversations/{one}/unarchive").json()["is_archived"] is False
    assert len(as_ada.get("/conversations").json()["items"]) == 2


def test_pages_hold_each_once_while_others_are_begun(as_ada, begun):
    there = [begun(title=str(number), started_at=f"2026-05-{1 + number // 3:02}T10:00:00Z") for number in range(20)]
    seen, cursor = [], ""
    while True:
        page = as_ada.get(f"/conversations?limit=3{cursor}").json()
        seen += [each["id"] for each in page["items"]]
        begun(title="meanwhile", started_at="2026-06-01T10:00:00Z")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in there] == sorted(
        there, reverse=True, key=lambda each: (there.index(each) // 3, each)
    )


def test_a_cursor_is_of_its_person_and_its_list_alone(as_ada, as_jonas, begun):
    for _ in range(3):
        begun()
    cursor = as_ada.get("/conversations?limit=1").json()["next"]
    for answer in (
        as_jonas.get(f"/conversations?cursor={cursor}"),
        as_ada.get(f"/conversations?archived=true&cursor={cursor}"),
        as_ada.get(f"/me/access-log?cursor={cursor}"),
        as_ada.get(f"/conversations?cursor={cursor[:-2]}"),
        as_ada.get("/conversations?cursor=AAAA"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid")


def test_an_external_id_is_taken_once(as_ada, as_jonas, begun):
    there = begun(external_id="chat-1")
    taken = as_ada.post("/conversations", {"external_id": "chat-1"}).json()
    assert (taken["status"], taken["code"], taken["existing_id"]) == (409, "external-id-taken", there)
    assert as_jonas.post("/conversations", {"external_id": "chat-1"}).status_code == 201


def test_get_or_create_by_an_external_id(as_ada, as_jonas):
    new = {"title": "Moving", "companion": "nova", "started_at": "2026-05-12T09:30:00Z"}
    made = as_ada.put("/conversations/by-external-id/chat-1", new)
    assert (made.status_code, made["Location"]) == (201, f"/api/v1/conversations/{made.json()['id']}")
    assert made.json() == {**made.json(), **new, "external_id": "chat-1"}
    for given in (new, {}, {"title": "Another title"}, {"companion": "nova"}):
        again = as_ada.put("/conversations/by-external-id/chat-1", given)
        assert (again.status_code, again.json(), again["ETag"]) == (200, made.json(), made["ETag"])
    his = as_jonas.put("/conversations/by-external-id/chat-1", {})
    assert (his.status_code, his.json()["title"]) == (201, None)
    assert as_ada.get(made["Location"].removeprefix("/api/v1")).json() == made.json()


def test_it_is_the_same_for_an_archived_one_and_for_a_retry(as_ada):
    path = "/conversations/by-external-id/chat-1"
    first, again = (as_ada.put(path, {}, idempotency_key="k") for _ in range(2))
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    as_ada.post(f"/conversations/{first.json()['id']}/archive")
    assert as_ada.put(path, {}).json()["is_archived"] is True


@pytest.mark.parametrize("name", ["a/b", "chat 7 ü 猫", "7/8/", "?&#%"])
def test_an_external_id_is_any_text(as_ada, name):
    made = as_ada.put(f"/conversations/by-external-id/{quote(name)}", {})
    assert (made.status_code, made.json()["external_id"]) == (201, name)
    found = as_ada.get(f"/conversations?external_id={quote(name)}").json()["items"]
    assert [each["id"] for each in found] == [made.json()["id"]]


@pytest.mark.parametrize("name", ["x" * 201, "a\0b"])
def test_but_not_this(as_ada, name):
    assert as_ada.put(f"/conversations/by-external-id/{quote(name)}", {}).json()["code"] == "invalid"
    assert as_ada.get(f"/conversations?external_id={quote(name)}").json()["code"] == "invalid"


@pytest.mark.parametrize("there", ["nova", None])
def test_what_one_companion_heard_is_not_given_to_another(as_ada, begun, there):
    made = begun(external_id="chat-1", **({"companion": there} if there else {}))
    refused = as_ada.put("/conversations/by-external-id/chat-1", {"companion": "juno"}).json()
    assert (refused["status"], refused["code"], refused["existing_id"]) == (409, "other-companion", made)


def test_lists_are_narrowed_by_external_id_archived_or_not(as_ada, as_jonas, begun):
    one, two = begun(external_id="chat-1"), begun(external_id="chat-2")
    as_ada.post(f"/conversations/{one}/archive")

    def listed(query, api=as_ada):
        return [each["id"] for each in api.get(f"/conversations?{query}").json()["items"]]

    assert (listed("external_id=chat-1"), listed("external_id=chat-2")) == ([one], [two])
    assert (listed("external_id=chat-1&archived=false"), listed("external_id=chat-1&archived=true")) == ([], [one])
    assert listed("external_id=chat-3") == listed("external_id=chat-1", as_jonas) == []


def test_requests_at_once_begin_one(really_ada):
    answers = at_once(lambda _: Api("ada").put("/conversations/by-external-id/chat-1", {"title": "x"}), 8)
    assert sorted(each.status_code for each in answers) == [200] * 7 + [201]
    assert len({each.json()["id"] for each in answers}) == 1


def test_control_without_looking_again_after_a_conflict_they_are_refused(as_ada, begun, monkeypatch):
    """As for the second of two at once: nothing is found before it is inserted, and then it is there."""
    there, look = begun(external_id="chat-1"), verbs._of_external_id
    looks = iter([None, "again"])
    monkeypatch.setattr(verbs, "_of_external_id", lambda *given: next(looks) and look(*given))
    assert as_ada.put("/conversations/by-external-id/chat-1", {}).json()["id"] == there
    looks = iter([None, None])
    assert as_ada.put("/conversations/by-external-id/chat-1", {}).json()["code"] == "external-id-taken"


def test_another_persons_is_as_if_it_were_not_there(as_jonas, begun):
    there, nowhere = f"/conversations/{begun(title='Secret')}", f"/conversations/{uuid4()}"
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None),
        ("POST", "/archive", None),
        ("GET", "/memories", None),
        ("POST", "/memories", {"author": "J", "text": "x"}),
    ):
        answers = [as_jonas(method, path + tail, body) for path in (there, nowhere)]
        assert [each.status_code for each in answers] == [404, 404]
        first, second = ({**each.json(), "request_id": ""} for each in answers)
        assert first == second


def test_a_title_is_sealed_and_told_anew(ada, as_ada, tell, begun):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    from tests.building import build_conversation

    with as_user(ada):
        row = Conversation.objects.of(ada).get()
        assert b"About" not in row.title.ciphertext
    build_conversation(ada, row.pk)
    assert as_ada.patch(f"/conversations/{row.pk}", {"title": "Else"}).status_code == 200
    assert build_conversation(ada, row.pk)
    assert as_ada.delete(f"/conversations/{row.pk}").status_code == 204
    with as_user(ada):
        assert not Story.objects.of(ada).filter(conversation_id=UUID(str(row.pk))).exists()
