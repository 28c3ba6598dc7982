"""A server makes people and acts for them with one key: a new person's first memory is two calls away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.api_keys.services import make_api_key
from accounts.authentication import caller
from accounts.authentication.caller import ServerCaller
from accounts.models import User
from accounts.people.services.account_status import set_active
from audit.actors import Actor, Origin
from audit.models import AuditLog
from tests.api.conftest import Api, Server, at_once
from tests.cast import TESTER
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system
from vibe.core.errors import InputError

UID = "telegram:5512"
SAID = {"author": "Ada", "text": "I moved to Lisbon."}


def count() -> int:
    with as_system():
        return User.objects.filter(is_staff=False).count()


def test_a_new_persons_first_memory_is_two_calls_away(server):
    bot = server("people", "read", "write")
    made = bot.put(f"/users/{UID}", {"name": "Ada Tavares"})
    assert (made.status_code, made["Location"]) == (201, f"/api/v1/users/{UID}")
    said = bot.as_(UID).post("/memories", {**SAID, "conversation": {"external_id": "chat-9", "companion": "nova"}})
    assert (said.status_code, said.json()["role"]) == (201, "user")
    assert bot.as_(UID).get(said["Location"].removeprefix("/api/v1")).json() == said.json()
    found = bot.as_(UID).get(f"/conversations/{said.json()['conversation_id']}").json()
    assert (found["external_id"], found["companion"], found["memory_count"]) == ("chat-9", "nova", 1)
    again = bot.as_(UID).post("/memories", {**SAID, "conversation": {"external_id": "chat-9"}})
    assert again.json()["conversation_id"] == found["id"]


def test_making_again_changes_nothing(server):
    bot = server("people")
    made = bot.put(f"/users/{UID}", {"name": "Ada Tavares"}).json()
    for given in ({}, {"name": "Ada Tavares"}, {"name": "Another"}):
        again = bot.put(f"/users/{UID}", given)
        assert (again.status_code, again.json()) == (200, made)
    assert (bot.get(f"/users/{UID}").json(), count()) == (made, 1)
    assert bot.get("/users/nobody").status_code == 404


def test_at_once_one_is_made(committed):
    key = Server.with_scopes("people").key
    answers = at_once(lambda _: Server(key).put(f"/users/{UID}", {}), 6)
    assert sorted(each.status_code for each in answers) == [200] * 5 + [201]
    assert len({each.json()["id"] for each in answers}) == 1


def test_one_who_is_deactivated_is_out_and_stays_so(server, ada):
    bot = server("people", "read")
    assert bot.as_("ada").get("/me").status_code == 200
    done = bot.post("/users/ada/deactivate")
    assert (done.status_code, done.json()["is_active"]) == (200, False)
    assert bot.post("/users/ada/deactivate").json() == done.json()
    assert (bot.as_("ada").get("/me").json()["code"], Api("ada").get("/me").json()["code"]) == ("deactivated",) * 2
    assert bot.put("/users/ada", {}).json()["is_active"] is False
    assert bot.post("/users/nobody/deactivate").status_code == 404
    set_active(user_id=ada, active=True, actor=TESTER)
    assert bot.as_("ada").get("/me").status_code == 200


CALLS = [("PUT", f"/users/{UID}", {}), ("GET", "/users/ada", None), ("POST", "/users/ada/deactivate", None)]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_nobody_else_makes_finds_or_deactivates_people(server, ada, jonas, call):
    for who, code in (
        (Api("jonas"), "refused"),
        (Api(""), "credentials-missing"),
        (server("read", "write", "export", "erase"), "scope-missing"),
        (server("read", "write").as_("jonas"), "scope-missing"),
        (server("read", "write", person=jonas), "scope-missing"),
        (server("people").as_("jonas"), "input"),
        (Server("vibe_wrong"), "api-key-invalid"),
    ):
        assert who(*call).json()["code"] == code, code
    assert (count(), Api("ada").get("/me").status_code) == (2, 200)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_control_without_asking_for_the_scope_any_key_does(server, ada, monkeypatch, call):
    anybody = ServerCaller(uuid7(), Actor.system("any", Origin()))
    monkeypatch.setattr(caller, "require_server", lambda *_: anybody)
    assert server("read")(*call).status_code < 300


def test_a_key_that_makes_people_reads_nothing_of_them(server, ada):
    bot = server("people").as_("ada")
    for method, path, body in (("GET", "/me", None), ("GET", "/conversations", None), ("POST", "/conversations", {})):
        assert bot(method, path, body).json()["code"] == "scope-missing"
    assert server("people", "read").get("/me").json()["code"] == "input"


def test_a_key_for_one_person_makes_none(ada):
    given = {"name": "n", "lasts": timedelta(days=1), "actor": TESTER, "person": ada}
    with pytest.raises(InputError, match="Make it without a person"):
        make_api_key(scopes={"people", "read"}, **given)
    pk, _ = make_api_key(scopes={"read"}, **given)
    with pytest.raises(IntegrityError, match="people_of_nobody"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY")
        cursor.execute("UPDATE api_keys SET scopes = '{people}' WHERE id = %s", [pk])


@pytest.mark.parametrize("uid", ["x" * 129, "a%20b", "%C3%BC", "a%00b"])
def test_a_uid_that_no_header_could_name_is_refused(server, uid):
    assert server("people").put(f"/users/{uid}", {}).json()["code"] == "invalid"
    assert count() == 0


def test_the_log_says_which_key_did_it_and_to_whom(server):
    bot = server("people", "read")
    made = bot.put(f"/users/{UID}", {"name": "canary"})
    bot.post(f"/users/{UID}/deactivate")
    with as_system():
        rows = list(AuditLog.objects.filter(subject=made.json()["id"]))
    assert {row.action for row in rows} == {
        *("person.create", "api:ensure_user", "person.deactivate", "api:deactivate_user")
    }
    assert {row.actor_kind for row in rows} == {"system"}
    assert all(row.actor.startswith("api-key ") for row in rows)
    assert "canary" not in str([vars(row) for row in rows])


def test_requests_of_a_server_count_against_its_key(server, settings):
    settings.API_LIMIT_KEY, settings.API_LIMIT_STRANGER = "60/2", "60/1"
    bot = server("people")
    assert [bot.put(f"/users/{UID}", {}).status_code for _ in range(3)] == [201, 200, 429]
    assert server("people").put(f"/users/{UID}", {}).status_code == 200
