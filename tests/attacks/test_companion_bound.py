"""Attack: a token or key that is bound to one companion asks for what the person said to another, or to none.

Each attempt is answered as for what does not exist, or refused, and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts import tasks
from accounts.api_keys import services as api_keys
from accounts.authentication import local_tokens, tokens
from accounts.authentication.caller import Caller
from accounts.authentication.errors import TokenInvalid
from accounts.export import services as exporting
from accounts.export.archive import archive_lines
from stories.facts.services import reading
from tests.api.bodies import ALL
from tests.api.conftest import Api, Server
from tests.attacks.test_api_other_people import rows_of
from tests.building import build_conversation
from vibe.api.instance import api
from vibe.core.errors import InputError
from vibe.core.http.operations import KEEPS

SECRET = "marmalade"
SAID = {"author": "Ada", "text": f"The {SECRET} is in Lisbon.", "message_id": "m1"}
OPEN = {
    *("get_me", "create_conversation", "ensure_conversation", "list_conversations", "get_conversation"),
    *("change_conversation", "archive_conversation", "unarchive_conversation", "delete_conversation"),
    *("add_memory", "remember", "add_memories_at_once", "list_memories", "put_memory", "forget_memories"),
    *(
        "get_memory",
        "read_context",
        "change_memory",
        "delete_memory",
        "search",
        "search_for_memories",
        "filter_memories",
        "list_stories",
        "get_story",
        "list_facts",
        "request_my_export",
        "get_my_export",
        "download_my_export",
    ),
}


@pytest.fixture(autouse=True)
def without_limits(settings: Any) -> None:
    settings.API_LIMIT_PERSON = settings.API_LIMIT_KEY = settings.API_LIMIT_STRANGER = "off"


class Bound(Api):
    """Ada with a token for one companion."""

    def __init__(self, companion: str) -> None:
        super().__init__("")
        self.headers = {"authorization": f"Bearer {local_tokens.issue(uid='ada', companion=companion)}"}


def with_key(companion: str) -> Api:
    return Server.with_scopes("read", "write", "export", companion=companion).as_("ada")


WAYS: list[Callable[[str], Api]] = [Bound, with_key]


@pytest.fixture(params=["juno", None], ids=["another's", "nobody's"])
def others(ada: Any, request: Any) -> dict[str, str]:
    """A conversation of Ada's with another companion, or with none: the ids of it, of its memory and its story."""
    as_ada, companion = Api("ada"), request.param
    new = {"external_id": "chat-1", "title": SECRET, **({"companion": companion} if companion else {})}
    conversation = as_ada.post("/conversations", new).json()["id"]
    memory = as_ada.post(f"/conversations/{conversation}/memories", SAID).json()["id"]
    build_conversation(ada, conversation)
    story = as_ada.get("/stories").json()["items"][0]["id"]
    return {"conversation_id": conversation, "memory_id": memory, "story_id": story}


OF_CONVERSATION = {"conversation_id": "…"}
REQUESTS = [
    *(("GET", f"/conversations/{{conversation_id}}{tail}", None) for tail in ("", "/memories", "/memories?last=1")),
    ("GET", "/conversations/{conversation_id}/memories?around={memory_id}", None),
    ("PATCH", "/conversations/{conversation_id}", {"title": "x"}),
    ("DELETE", "/conversations/{conversation_id}", None),
    ("POST", "/conversations/{conversation_id}/archive", None),
    ("POST", "/conversations/{conversation_id}/unarchive", None),
    ("POST", "/conversations/{conversation_id}/memories", {"author": "A", "text": "x"}),
    ("POST", "/conversations/{conversation_id}/memories/batch", {"memories": [{"author": "A", "text": "x"}]}),
    ("PUT", "/conversations/{conversation_id}/memories/by-message-id/m1", {"author": "A", "text": "x"}),
    ("DELETE", "/memories?since=1900-01-01T00:00:00Z&conversation_id={conversation_id}", None),
    ("POST", "/context", OF_CONVERSATION),
    ("GET", "/memories/{memory_id}", None),
    ("PATCH", "/memories/{memory_id}", {"text": "x"}),
    ("DELETE", "/memories/{memory_id}", None),
    ("GET", "/stories/{story_id}", None),
]


def filled(body: Any, ids: dict[str, str]) -> Any:
    """A body with the id that it names."""
    return {"conversation_id": ids["conversation_id"]} if body == OF_CONVERSATION else body


@pytest.mark.parametrize("way", WAYS)
def test_what_is_anothers_is_as_if_it_were_not_there(ada: Any, others: dict[str, str], way: Any) -> None:
    before, bound, nowhere = rows_of(ada), way("nova"), {name: str(uuid4()) for name in others}
    for method, path, body in REQUESTS:
        answers = [bound(method, path.format(**ids), filled(body, ids)) for ids in (others, nowhere)]
        assert [each.status_code for each in answers] == [404, 404], path
        told = [{**each.json(), "request_id": ""} for each in answers]
        assert told[0] == told[1], path
    assert rows_of(ada) == before


@pytest.mark.parametrize("way", WAYS)
def test_lists_searches_and_forgetting_pass_it_over(ada: Any, others: dict[str, str], way: Any) -> None:
    bound = way("nova")
    mine = bound.post("/memories", {**SAID, "conversation": {"external_id": "chat-2"}}).json()
    before = rows_of(ada)
    listed = bound.get("/conversations").json()["items"]
    assert [(each["id"], each["companion"]) for each in listed] == [(mine["conversation_id"], "nova")]
    assert bound.get("/conversations?external_id=chat-1").json()["items"] == []
    question = {"question": f"Where is the {SECRET}?"}
    assert [each["id"] for each in bound.post("/memories/search", question).json()["items"]] == [mine["id"]]
    assert [each["id"] for each in bound.post("/memories/filter", {}).json()["items"]] == [mine["id"]]
    context = bound.post("/context", {"message": question["question"]}).json()
    assert [each["id"] for each in context["pieces"]] == [mine["id"]]
    [story] = bound.post("/stories/search", question).json()["items"]
    assert story["conversation_id"] == mine["conversation_id"]
    assert [each["id"] for each in bound.get("/stories").json()["items"]] == [story["id"]]
    narrowed = {**question, "conversation_id": others["conversation_id"]}
    assert bound.post("/memories/search", narrowed).json()["items"] == []
    assert rows_of(ada) == before
    gone = bound.delete("/memories?since=1900-01-01T00:00:00Z").json()
    assert [each["id"] for each in gone["items"]] == [mine["id"]]
    assert Api("ada").get(f"/memories/{others['memory_id']}").status_code == 200


@pytest.mark.parametrize("way", WAYS)
def test_it_names_no_other_companion(ada: Any, others: dict[str, str], way: Any) -> None:
    bound, juno = way("nova"), {"companion": "juno"}
    for method, path, body in (
        ("POST", "/conversations", juno),
        ("PUT", "/conversations/by-external-id/new", juno),
        ("POST", "/memories", {"author": "A", "text": "x", "conversation": {"external_id": "new", **juno}}),
        ("GET", "/conversations?companion=juno", None),
        ("POST", "/memories/search", {"question": "x", **juno}),
        ("POST", "/memories/filter", juno),
        ("POST", "/context", juno),
        ("POST", "/stories/search", {"question": "x", **juno}),
        ("DELETE", "/memories?since=1900-01-01T00:00:00Z&companion=juno", None),
    ):
        answer = bound(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "companion-bound"), path
    there = bound.put("/conversations/by-external-id/chat-1", {})
    assert (there.status_code, there.json()["code"]) == (409, "other-companion")
    assert bound.post("/conversations", {}).json()["companion"] == "nova"


def exported(who: Api, ada: Any) -> tuple[str, list[Any]]:
    """An export as its owner asks for it and as its job makes it: the link, and the lines of the file."""
    asked = who.post("/me/export").json()
    tasks.export(str(ada), asked["id"])
    link = who.get("/me/export").json()["link"].removeprefix("/api/v1")
    return link, [json.loads(line) for line in b"".join(who.get(link).streaming_content).splitlines()]


def say(who: Api, text: str, conversation: str) -> str:
    said = {"author": "Ada", "role": "user", "text": text, "conversation": {"external_id": conversation}}
    return str(who.post("/memories", said).json()["id"])


@pytest.mark.parametrize("way", WAYS)
def test_an_export_is_of_its_companion(
    ada: Any, others: dict[str, str], way: Any, settings: Any, tmp_path: Any
) -> None:
    settings.EXPORT_DIR = tmp_path
    say(Api("ada"), f"I live in {SECRET.title()}.", "chat-1")
    bound = way("nova")
    say(bound, "I live in Porto.", "chat-2")
    mine = bound.get("/conversations").json()["items"][0]["id"]
    build_conversation(ada, mine)
    whole, everything = exported(Api("ada"), ada)
    link, lines = exported(bound, ada)
    assert {each["type"] for each in lines} == {
        *("vibe.export", "vibe.conversation", "vibe.story", "vibe.fact", "vibe.end"),
    }
    assert (lines[0]["of"], everything[0]["of"]) == ("companion", "person")
    for kind, name in (("vibe.conversation", "conversation"), ("vibe.story", "conversation")):
        named = [each[name] for each in lines if each["type"] == kind]
        assert [each["id"] if isinstance(each, dict) else each for each in named] == ["chat-2"]
    assert [each["value"] for each in lines if each["type"] == "vibe.fact"] == ["Porto"]
    for secret in (SECRET, SECRET.title(), "chat-1", *others.values()):
        assert secret not in json.dumps(lines)
        if secret != others["conversation_id"]:
            assert secret in json.dumps(everything), "the control"
    assert bound.get(whole).status_code == way("juno").get(link).status_code == 404
    assert way("juno").get("/me/export").status_code == 404
    assert b"".join(Api("ada").get(link).streaming_content), "the person may read all of it"
    assert Api("ada").get("/me/export").json()["id"] != bound.get("/me/export").json()["id"]


def test_the_export_of_one_does_not_stand_in_for_that_of_another(ada: Any, settings: Any, tmp_path: Any) -> None:
    settings.EXPORT_DIR = tmp_path
    asked = Bound("nova").post("/me/export")
    assert Bound("nova").post("/me/export").json()["id"] == asked.json()["id"]
    for other in (Bound("juno"), Api("ada")):
        answer = other.post("/me/export")
        assert (answer.status_code, answer.json()["code"]) == (409, "export-under-way")
        assert asked.json()["id"] not in answer.content.decode()


def test_control_without_the_companion_an_export_is_of_everything(
    ada: Any, others: dict[str, str], settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXPORT_DIR = tmp_path
    monkeypatch.setattr(exporting, "archive_lines", lambda user_id, _: archive_lines(user_id))
    assert SECRET in json.dumps(exported(Bound("nova"), ada)[1])


@pytest.mark.parametrize("way", WAYS)
def test_facts_are_of_its_companion(
    ada: Any, others: dict[str, str], way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound, as_ada = way("nova"), Api("ada")
    say(bound, "I live in Porto.", "chat-2")
    say(as_ada, f"I live in {SECRET.title()}.", "chat-1")
    assert [each["value"] for each in as_ada.get("/facts").json()["items"]] == [SECRET.title()]
    for query in ("", "?history=true", "?attribute=home"):
        [fact] = bound.get(f"/facts{query}").json()["items"]
        assert (fact["value"], fact["valid_to"], fact["superseded_by"]) == ("Porto", None, None)
    assert [source["conversation_id"] for source in fact["sources"]] == [
        bound.get("/conversations").json()["items"][0]["id"]
    ]
    wrong = as_ada.get("/facts?attribute=home").json()["items"][0]["id"]
    as_ada.patch(f"/facts/{wrong}", {"value": "Faro"})
    [fact] = bound.get("/facts?history=true").json()["items"]
    assert (fact["value"], fact["superseded_by"]) == ("Porto", None), "and Faro was said to nobody"
    assert fact["valid_to"], "though it holds before everybody"
    monkeypatch.setattr(reading, "companion_token", lambda *_: None)
    assert {each["value"] for each in bound.get("/facts?history=true").json()["items"]} > {"Porto"}, "the control"


SERVERS = ("/users", "/webhooks")  # tests/api/test_users.py, tests/api/test_webhooks.py


def test_every_other_operation_is_closed_to_it(ada: Any) -> None:
    kept = {
        operation.view_func.__name__
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        if hasattr(operation.view_func, KEEPS)
    }
    assert kept == OPEN
    bodies = {"change_preferences": {"a": 1}, "correct_story": {"title": "x"}, "correct_fact": {"value": "x"}}
    bodies |= {"begin_my_import": {"format": "jsonl"}, "start_import": {"parts": 1}}
    closed = [each for each in ALL if each.name not in OPEN and not each.path.startswith(SERVERS)]
    assert len(closed) >= 6
    paths = [(each.method, each.path, bodies.get(each.name)) for each in closed]
    lists = [("GET", path, None) for path in ("/me/preferences", "/me/access-log", "/people", "/places", "/events")]
    for method, path, body in [*paths, *lists]:
        assert Bound("nova")(method, path, body).json()["code"] == "companion-bound", path


def test_a_retry_of_one_companion_is_none_of_another(ada: Any) -> None:
    made = Bound("nova").post("/conversations", {"title": SECRET}, idempotency_key="k")
    assert Bound("nova").post("/conversations", {"title": SECRET}, idempotency_key="k").json() == made.json()
    for other in (Bound("juno"), Api("ada")):
        again = other.post("/conversations", {"title": SECRET}, idempotency_key="k")
        assert again.json()["code"] == "idempotency-key-used"


def test_a_key_cannot_be_unbound_or_bound_otherwise(ada: Any) -> None:
    key = Server.with_scopes("read", companion="nova").key
    plain, _, bound = key.partition(".")
    other = Server.with_scopes("read", companion="juno").key.partition(".")[2]
    for forged in (plain, f"{plain}.", f"{plain}.{other}", f"{plain}.{bound}=", f"{key}.{other}"):
        assert Server(forged).as_("ada").get("/me").json()["code"] == "api-key-invalid"
    assert Server(key).as_("ada").get("/me").status_code == 200


@pytest.mark.parametrize("claim", ["", "x" * 101, 7, ["nova"], {}])
def test_a_token_that_is_bound_to_nothing_that_can_be_is_refused(claim: Any) -> None:
    with pytest.raises(TokenInvalid):
        tokens.Claims.read("local", {"sub": "ada", "auth_time": 1, "vibe_companion": claim})


def test_commands_bind(ada: Any, capsys: Any) -> None:
    call_command("make_api_key", "--name", "n", "--for", "ada", "--companion", "nova", "--scope", "read")
    key = capsys.readouterr().out.strip()
    assert api_keys.companion_of(key) == "nova"
    assert Server(key).get("/conversations?companion=juno").json()["code"] == "companion-bound"
    call_command("issue_token", "--user", "ada", "--companion", "nova")
    assert tokens.verify(capsys.readouterr().out.strip()).companion == "nova"
    with pytest.raises(CommandError):
        call_command("make_api_key", "--name", "n", "--companion", "x" * 101)
    with pytest.raises(InputError):
        Server.with_scopes("people", companion="nova")


def test_control_unbound_it_reads_all(ada: Any, others: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without each of the three: the check of ids, what is said for lists, and the refusal of all else."""
    bound = Bound("nova")
    assert bound.get(f"/memories/{others['memory_id']}").status_code == 404
    for _, router in api._routers:
        for view in router.path_operations.values():
            for operation in view.operations:
                if hasattr(operation.view_func, KEEPS):
                    monkeypatch.setattr(operation.view_func, KEEPS, lambda *_: None)
    assert bound.get(f"/memories/{others['memory_id']}").status_code == 200
    monkeypatch.setattr(Caller, "companion_or", lambda _, given: given)
    assert [each["id"] for each in bound.get("/conversations").json()["items"]] == [others["conversation_id"]]
    monkeypatch.setattr("vibe.api.decorators.companion_bound_to", lambda *_: None)
    assert bound.get("/me/access-log").status_code == 200
