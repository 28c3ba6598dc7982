"""Over HTTP every request signs in for itself; over stdio the command is for one person."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import uvicorn
from django.db import connections
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from accounts.api_keys import services as api_keys
from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.authentication.conftest import trail
from tests.cast import TESTER
from tests.processes import PATIENCE, PROJECT, manage, url
from vibe.mcp import body, calls, web
from vibe.mcp.tools import LONGEST_TEXT

pytestmark = pytest.mark.usefixtures("committed")
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
JSON = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@pytest.fixture
def ada() -> UUID:
    return ensure_person(profile=Profile("ada", name="Ada Tavares"), actor=TESTER)


@pytest.fixture
def served(settings: Any) -> Iterator[str]:
    """The address of a server in a thread."""
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = uvicorn.Server(uvicorn.Config(web.app(), port=port, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}{web.PATH}"
    running.should_exit = True
    thread.join(PATIENCE)
    together = threading.Barrier(calls.THREADS)

    def end() -> None:
        together.wait(PATIENCE)
        connections.close_all()

    for each in [calls.pool.submit(end) for _ in range(calls.THREADS)]:
        each.result(PATIENCE)


def spoken(address: str, headers: dict[str, str], talk: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            return await talk(client)

    return asyncio.run(run())


def test_whoever_signs_in_is_served_and_is_only_themself(served: str, ada: UUID) -> None:
    for uid in ("ada", "jonas"):
        headers = {"authorization": f"Bearer {local_tokens.issue(uid=uid)}"}
        kept = spoken(served, headers, lambda client: client.call_tool("remember", {"text": "I moved to Lisbon."}))
        assert kept.is_error is False
    rows = trail(action="mcp:remember")
    assert rows[0].actor == str(ada)
    assert len({row.actor for row in rows}) == 2
    assert {row.ip for row in rows} == {"127.0.0.1"}


def test_a_key_acts_within_its_scope(served: str, ada: UUID) -> None:
    made = {"name": "agent", "scopes": {"read"}, "lasts": timedelta(days=1), "actor": TESTER, "person": ada}
    key_id, credential = api_keys.make_api_key(**made)

    async def talk(client: Client) -> list[bool]:
        listed = await client.call_tool("list_people", {})
        kept = await client.call_tool("remember", {"text": "x"})
        assert "scope-missing" in kept.content[0].text
        return [listed.is_error, kept.is_error]

    assert spoken(served, {"authorization": f"Bearer {credential}"}, talk) == [False, True]
    assert all(row.details["client"].startswith(f"api-key {key_id} mcp ") for row in trail(action__startswith="mcp:"))


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer junk"}, {"authorization": "Bearer vibe_junk"}])
def test_who_does_not_sign_in_does_not_get_to_speak(served: str, headers: dict[str, str]) -> None:
    for method in ("POST", "GET", "DELETE"):
        refused = httpx2.request(method, served, headers={**JSON, **headers}, json=HELLO if method == "POST" else None)
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["cache-control"] == "no-store"
    assert [(row.actor_kind, row.outcome) for row in trail(action="mcp")] == [("anonymous", "refused")] * 3


def test_control_who_signs_in_does(served: str, ada: UUID) -> None:
    headers = {**JSON, "authorization": f"Bearer {local_tokens.issue(uid='ada')}"}
    assert "remember" in httpx2.post(served, headers=headers, json=HELLO).text


def test_another_host_or_origin_is_refused(served: str, ada: UUID) -> None:
    """A page that a browser was led to by a name that now means this machine (DNS rebinding)."""
    headers = {**JSON, "authorization": f"Bearer {local_tokens.issue(uid='ada')}"}
    for forged in ({"host": "evil.example.com"}, {"origin": "https://evil.example.com"}):
        assert httpx2.post(served, headers={**headers, **forged}, json=HELLO).status_code in (403, 421)


def test_too_many_are_told_when_to_come_again(served: str, settings: Any) -> None:
    settings.API_LIMIT_STRANGER = "1/2"
    answers = [httpx2.post(served, headers=JSON, json=HELLO) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[2].headers["retry-after"]) > 0


BODIES = {
    "members": (b"{" + b",".join(b'"%x":0' % each for each in range(100_000)) + b"}", 400, "malformed-body"),
    "deep": (b'{"jsonrpc": "2.0", "id": 1, "method": ' + b"[" * 900 + b"]" * 900 + b"}", 400, "malformed-body"),
    "large": (b" " * (body.LARGEST + 1), 413, "body-too-large"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_bounded_before_the_protocol_reads_it(served: str, ada: UUID, name: str) -> None:
    sent, status, code = BODIES[name]
    headers = {**JSON, "authorization": f"Bearer {local_tokens.issue(uid='ada')}"}
    for content in (sent, iter([sent[:1000], sent[1000:]])):  # with its length, and in chunks
        answer = httpx2.post(served, headers=headers, content=content)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [(row.actor, row.outcome, row.reason) for row in trail(action="mcp")] == [(str(ada), "refused", code)] * 2


def test_control_unbounded_the_protocol_reads_it(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "check_structure", lambda *_: None)
    headers = {**JSON, "authorization": f"Bearer {local_tokens.issue(uid='ada')}"}
    answer = httpx2.post(served, headers=headers, content=BODIES["members"][0])
    assert "malformed-body" not in answer.text
    assert not trail(action="mcp")


def test_the_longest_text_is_taken_with_every_character_escaped(served: str, ada: UUID) -> None:
    arguments = {"text": "\U0001f600" * LONGEST_TEXT}  # which the client writes as JSON
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "remember", "arguments": arguments}}
    headers = {**JSON, "authorization": f"Bearer {local_tokens.issue(uid='ada')}"}
    answer = httpx2.post(served, headers=headers, content=json.dumps(call).encode())
    assert answer.json()["result"]["isError"] is False


def test_over_stdio_for_one_person(ada: UUID) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=[str(PROJECT / "manage.py"), "mcp", "--user", "ada"],
        cwd=PROJECT,
        env={"DATABASE_URL": url(), "LOG_LEVEL": "WARNING", "VIBE_STATE_DIR": str(state_dir())},
    )

    async def run() -> Any:
        async with Client(command) as client:
            return await client.call_tool("remember", {"text": "I moved to Lisbon."})

    assert asyncio.run(run()).is_error is False
    (row,) = trail(action="mcp:remember")
    assert (row.actor, row.subject, row.ip) == (str(ada), ada, None)
    assert row.details["client"].startswith("mcp ")


def state_dir() -> Any:
    from django.conf import settings

    return settings.STATE_DIR


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required"),
        (("--user", "nobody"), "no such person"),
        (("--http", "8001"), "127.0.0.1:8001"),
        (("--user", "ada", "--http", "127.0.0.1:8001"), "not allowed"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    done = manage("mcp", *arguments, DATABASE_URL=url())
    assert done.returncode != 0
    assert said in done.stderr
    assert done.stdout == ""
