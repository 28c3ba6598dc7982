"""The Python client against a server: it signs in, tries again without doing anything twice, and reads pages."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx2
import pytest

from accounts.authentication import local_tokens
from scripts.make_clients import description, made
from tests.clients.conftest import Live
from tests.processes import PROJECT
from vibe_client import AsyncVibe, Conflict, Invalid, NotFound, Outdated, Problem, Unauthorized, Unreachable, Vibe, etag
from vibe_client import client as module
from vibe_client.operations import AsyncOperations, Operations

SAID = {"author": "Ada", "text": "I moved to Lisbon last Friday."}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_WAIT", 0.001)


@pytest.fixture
def ada(live: Live) -> Iterator[Vibe]:
    with Vibe(live.address, live.person()[1]) as vibe:
        yield vibe


def test_what_is_remembered_is_found_and_forgotten(ada: Vibe) -> None:
    memory = ada.remember(**SAID, conversation={"external_id": "a/b c"}, metadata={"mood": "glad"})
    assert ada.get_memory(memory["id"]) == memory
    assert ada.search_memories(question="Where did I move?")["items"][0]["id"] == memory["id"]
    assert [each["id"] for each in ada.filter_memories(metadata={"mood": "glad"})] == [memory["id"]]
    assert ada.ensure_conversation("a/b c")["id"] == memory["conversation_id"]
    assert ada.delete_memory(memory["id"]) is None
    assert ada.search_memories(question="Where did I move?")["items"] == []
    assert ada.search_stories(question="Where did I move?")["items"] == []


def test_a_file_is_uploaded_as_it_is(ada: Vibe) -> None:
    begun = ada.begin_my_import(format="jsonl")
    ada.put_import_part(begun["id"], 0, b'{"conversation": {"id": "a"}, "messages": []}\n')
    assert ada.start_import(begun["id"], parts=1)["state"] == "waiting"


def test_pages_are_read_as_one_goes(live: Live, ada: Vibe) -> None:
    talk = ada.create_conversation(title="Counting")["id"]
    added = ada.add_memories(talk, memories=[{"author": "Ada", "text": str(number)} for number in range(7)])["items"]
    live.seen.clear()
    given = ada.list_memories(talk, limit=3)
    assert [next(given)["text"], len(live.seen)] == ["0", 1]
    assert [each["text"] for each in given] == [str(number) for number in range(1, 7)]
    assert len(live.seen) == 3
    assert [each["text"] for each in ada.list_memories(talk, order="desc", limit=5)] == list("6543210")
    assert [each["text"] for each in ada.list_memories(talk, last=2)] == ["5", "6"]
    assert [each["text"] for each in ada.list_memories(talk, around=added[3]["id"], limit=3)] == list("23456")
    assert len(list(ada.filter_memories(conversation_id=talk, limit=2))) == 7
    assert [each["id"] for each in ada.list_conversations(archived=False, limit=1)] == [talk]


def test_problems_are_errors_of_their_kind(live: Live, ada: Vibe) -> None:
    with pytest.raises(NotFound, match=r"There is no such .*404 not-found") as missing:
        ada.get_memory(uuid4())
    assert missing.value.request_id
    first = ada.create_conversation(external_id="mine")
    with pytest.raises(Conflict) as taken:
        ada.create_conversation(external_id="mine")
    assert (taken.value.code, taken.value.existing_id) == ("external-id-taken", first["id"])
    with pytest.raises(Invalid) as wrong:
        ada.call("POST", "/conversations", body={"name": "x"})
    assert [each["field"] for each in wrong.value.errors]
    with pytest.raises(Unauthorized):
        Vibe(live.address, "nonsense").get_me()
    with pytest.raises(ValueError, match="https://"):
        Vibe("memory.example", "x")


def test_a_change_meanwhile_is_noticed(ada: Vibe) -> None:
    read = ada.create_conversation()
    version = etag(read)
    assert version
    changed = ada.change_conversation(read["id"], title="Lisbon", if_match=version)
    assert etag(changed) not in (None, version)
    with pytest.raises(Outdated):
        ada.delete_conversation(read["id"], if_match=version)
    assert ada.change_conversation(read["id"], title=None)["title"] is None
    assert etag({}) is None


def test_moments_and_ids_are_sent_as_they_are(ada: Vibe) -> None:
    at = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
    memory = ada.remember(**SAID, occurred_at=at, conversation={"external_id": "1"})
    assert memory["occurred_at"] == "2026-05-12T09:30:00Z"
    assert ada.forget_memories(since=at, until=at)["items"] == [{"id": memory["id"]}]
    with pytest.raises(TypeError, match="set cannot be sent"):
        ada.remember(author="Ada", text={"no"}, conversation={"external_id": "1"})  # type: ignore[typeddict-item]


def test_a_server_that_fails_and_then_works_is_asked_again_and_does_it_once(live: Live, ada: Vibe) -> None:
    talk = ada.create_conversation()["id"]
    live.faults.extend(["away", "lost"])
    memory = ada.add_memory(talk, **SAID)
    assert memory["text"] == SAID["text"]
    assert len(list(ada.list_memories(talk))) == 1
    keys = [each.get("HTTP_IDEMPOTENCY_KEY") for each in live.seen if each["REQUEST_METHOD"] == "POST"]
    assert len(set(keys[-3:])) == 1
    ada.add_memory(talk, **SAID)
    assert len(list(ada.list_memories(talk))) == 2


def test_control_without_the_key_it_would_be_done_twice(live: Live, ada: Vibe) -> None:
    talk = ada.create_conversation()["id"]
    live.without = {"HTTP_IDEMPOTENCY_KEY"}
    live.faults.append("lost")
    ada.add_memory(talk, **SAID)
    assert len(list(ada.list_memories(talk))) == 2


def test_tries_come_to_an_end(live: Live) -> None:
    vibe = Vibe(live.address, live.person()[1], retries=2)
    live.faults.extend(["away"] * 5)
    with pytest.raises(Problem) as refused:
        vibe.get_me()
    assert (refused.value.status, len(live.seen)) == (503, 3)
    with pytest.raises(Unreachable, match="ConnectError"):
        Vibe("http://127.0.0.1:1", "x", retries=1).get_me()


def test_a_wait_that_is_too_long_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answers = iter(["2", "3600"])
    full = httpx2.MockTransport(lambda _: httpx2.Response(429, headers={"Retry-After": next(answers)}, json={}))
    with pytest.raises(Problem) as refused:
        Vibe("https://memory.example", "x", transport=full).get_me()
    assert (slept, refused.value.retry_after) == ([2.0], 3600.0)


def test_an_answer_that_is_no_problem_document_is_an_error_all_the_same() -> None:
    cut = httpx2.MockTransport(lambda _: httpx2.Response(500, headers={"Content-Type": "application/json"}, text="{"))
    with pytest.raises(Problem, match="HTTP status 500"):
        Vibe("https://memory.example", "x", transport=cut).get_me()


def test_a_token_that_expires_midway_is_renewed_once(live: Live) -> None:
    uid, good = live.person()
    expired, asked = local_tokens.issue(uid=uid, seconds=-3600), []

    def token(renew: bool) -> str:
        asked.append(renew)
        return good if renew else expired

    assert Vibe(live.address, token).get_me()["name"] == "Ada Tavares"
    assert asked == [False, True]
    with pytest.raises(Unauthorized, match="token-expired"):
        Vibe(live.address, lambda _: expired).get_me()
    with pytest.raises(Unauthorized, match="token-expired"):
        Vibe(live.address, expired).get_me()


def test_a_server_acts_for_its_people(live: Live) -> None:
    bot = Vibe(live.address, live.key("people", "read", "write"))
    uid = f"telegram:{uuid4()}"
    bot.ensure_user(uid, name="Ada")
    ada, other = bot.as_person(f"uid:{uid}"), bot.as_person(f"uid:{live.person()[0]}")
    memory = ada.remember(**SAID, conversation={"external_id": "1"})
    assert memory["role"] == "user"
    with pytest.raises(NotFound):
        other.get_memory(memory["id"])
    assert bot.deactivate_user(uid)["is_active"] is False


def test_all_of_it_without_blocking(live: Live) -> None:
    uid, token = live.person()

    async def fresh(renew: bool) -> str:
        return token if renew else local_tokens.issue(uid=uid, seconds=-3600)

    async def talk() -> None:
        async with AsyncVibe(live.address, fresh) as vibe:
            live.faults.append("lost")
            memory = await vibe.remember(**SAID, conversation={"external_id": "1"})
            await vibe.add_memory(memory["conversation_id"], **SAID)
            assert [each["text"] async for each in vibe.list_memories(memory["conversation_id"], limit=1)] == [
                SAID["text"]
            ] * 2
            with pytest.raises(NotFound):
                await vibe.get_story(uuid4())
            live.faults.extend(["away"] * 9)
            with pytest.raises(Problem):
                await vibe.get_me()
        with pytest.raises(Unreachable):
            await AsyncVibe("http://127.0.0.1:1", "x", retries=1).get_me()

    asyncio.run(talk())


def test_both_clients_have_every_operation_of_the_description() -> None:
    files = made(description())
    stale = [str(file.relative_to(PROJECT)) for file, text in files.items() if file.read_text() != text]
    assert not stale, "run `make clients`"


def test_both_clients_have_the_same_operations() -> None:
    def operations(of: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(each).parameters)
            for name, each in vars(of).items()
            if not name.startswith("_") and inspect.isfunction(each)
        }

    assert operations(Operations) == operations(AsyncOperations)
    assert len(operations(Operations)) > 35


def test_what_is_deprecated_is_marked_in_both_clients() -> None:
    api = description()
    api["paths"]["/api/v1/me"]["get"] |= {"deprecated": True, "description": "Old."}
    text = "\n".join(made(api).values())
    assert text.count('"""Deprecated: see the changelog. Old."""') == 2
    assert text.count("/** @deprecated See the changelog. Old. */") == 1


def test_control_an_operation_that_is_missing_is_noticed() -> None:
    api = description()
    api["paths"]["/api/v1/me"]["get"]["operationId"] = "who_am_i"
    assert any(file.read_text() != text for file, text in made(api).items())
