"""The person who calls: who they are, what they have set, who looked."""

from __future__ import annotations

import json

import pytest

from accounts.export.services import export_status, make_export, request_export
from accounts.models import UserPreferences
from accounts.people.services.preferences import merge
from tests.api.conftest import Api, at_once
from tests.cast import TESTER
from vibe.core.db.scopes import as_user


def test_who_one_is(ada, as_ada):
    me = as_ada.get("/me").json()
    assert (me["id"], me["email"], me["name"]) == (str(ada), "ada@example.com", "Ada Tavares")


# RFC 7396, appendix A
CASES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), CASES)
def test_a_merge_patch_is_that_of_the_rfc(target, patch, result):
    assert merge(target, patch) == result


def test_preferences_are_merged_and_versioned(as_ada):
    first = as_ada.get("/me/preferences")
    assert first.json() == {}
    changed = as_ada.patch("/me/preferences", {"theme": "dark", "week": {"day": 1}}, if_match=first["ETag"])
    assert changed.json() == {"theme": "dark", "week": {"day": 1}}
    again = as_ada.raw(
        "PATCH", "/me/preferences", b'{"theme": null, "week": {"hour": 9}}', "application/merge-patch+json"
    )
    assert again.json() == {"week": {"day": 1, "hour": 9}}
    assert as_ada.get("/me/preferences").json() == again.json()
    assert as_ada.patch("/me/preferences", {}, if_match=changed["ETag"]).status_code == 412


@pytest.mark.parametrize("size", [70_000, 300_000])
def test_preferences_are_bounded(as_ada, size):
    as_ada.patch("/me/preferences", {"a": 1})
    answer = as_ada.patch("/me/preferences", {"b": "x" * size})
    assert (answer.status_code, answer.json()["code"]) == (413, "preferences-too-large")
    assert as_ada.get("/me/preferences").json() == {"a": 1}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"7"])
def test_preferences_are_an_object(as_ada, body):
    assert as_ada.raw("PATCH", "/me/preferences", body).status_code == 422


def test_patches_at_once_lose_nothing(really_ada):
    answers = at_once(lambda number: Api("ada").patch("/me/preferences", {f"p{number}": number}), 8)
    assert {each.status_code for each in answers} == {200}
    assert really_ada.get("/me/preferences").json() == {f"p{number}": number for number in range(8)}


def test_one_sees_who_looked_and_why_but_not_from_where_staff_did(ada, as_ada, jonas):
    from audit.actors import Actor, Origin
    from audit.client import ClientAddress
    from audit.services import record

    origin = Origin(ClientAddress("10.1.2.3", "10.1.2.3", "", ""), "Firefox", "r1")
    record(actor=Actor.staff(jonas, origin), action="content.read", subject=ada, reason="Ticket 12")
    as_ada.get("/me")
    own, staff, *_ = as_ada.get("/me/access-log").json()["items"]
    assert (own["action"], own["by"], own["ip"]) == ("api:get_me", "person", "127.0.0.1")
    assert (staff["action"], staff["by"], staff["reason"], staff["ip"]) == ("content.read", "staff", "Ticket 12", None)


def test_another_persons_trail_is_not_ones_own(as_ada, as_jonas):
    as_ada.get("/me")
    as_jonas.get("/me")
    assert len(as_jonas.get("/me/access-log").json()["items"]) == 2  # coming in, and asking who one is


def test_preferences_are_kept_as_they_are(ada, as_ada):
    given = {"text": "ü\U0001f600", "number": 1.5, "big": 10**300, "list": [None, True]}
    assert as_ada.patch("/me/preferences", given).json() == given
    with as_user(ada):
        assert UserPreferences.objects.of(ada).get().data == given
    assert json.loads(as_ada.get("/me/preferences").content) == given
    assert TESTER.kind == "system"


# Being erased


def test_whoever_is_erased_is_told_of_the_export_that_is_given_up(ada, as_ada):
    export = as_ada.post("/me/export").json()["id"]
    answer = as_ada.delete("/me").json()
    assert answer["given_up_export"] == export
    made = export_status(user_id=ada)
    assert (made.state, made.problem) == ("failed", "erasure-requested")
    assert not make_export(user_id=ada, export_id=made.pk, actor=TESTER), "its job has nothing to do any more"
    assert export_status(user_id=ada).state == "failed"


def test_an_export_that_is_ready_is_not_named(ada, as_ada, settings, tmp_path):
    settings.EXPORT_DIR = tmp_path
    make_export(user_id=ada, export_id=request_export(user_id=ada, actor=TESTER), actor=TESTER)
    assert as_ada.delete("/me").json()["given_up_export"] is None
    assert export_status(user_id=ada).state == "ready"
