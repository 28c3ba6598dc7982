"""Over HTTP every request signs in for itself; over stdio the command is for one person."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import ProtectedResourceMetadata
from pydantic import TypeAdapter

from accounts.api_keys import services as api_keys
from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.authentication.conftest import trail
from tests.cast import TESTER
from tests.processes import PATIENCE, PROJECT, manage, url
from vibe.core.errors import ConfigurationError
from vibe.mcp import body, calls, tools, turns
from vibe.mcp import connections as mcp_connections
from vibe.mcp.protected_resource import protected_resource
from vibe.mcp.tools import LONGEST_TEXT

pytestmark = pytest.mark.usefixtures("committed")
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
JSON = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@pytest.fixture
def ada() -> UUID:
    return ensure_person(profile=Profile("ada", name="Ada Tavares"), actor=TESTER)


def signed_in(uid: str = "ada") -> dict[str, str]:
    return {**JSON, "authorization": f"Bearer {local_tokens.issue(uid=uid)}"}


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


METADATA = "/.well-known/oauth-protected-resource"
LOGIN = "https://login.example.com"


def test_where_a_token_is_had_is_told_to_whoever_has_none(served: str, settings: Any) -> None:
    settings.MCP_URL, settings.MCP_AUTHORIZATION_SERVERS = "https://vibe.example.com/mcp", [LOGIN]
    refused = httpx2.post(served, headers=JSON, json=HELLO)
    assert refused.status_code == 401
    named = f'resource_metadata="https://vibe.example.com{METADATA}/mcp"'
    assert refused.headers["www-authenticate"] == f'Bearer realm="vibe", {named}'
    assert (
        named
        in httpx2.post(served, headers={**JSON, "authorization": "Bearer junk"}, json=HELLO).headers["www-authenticate"]
    )
    for path in (METADATA, f"{METADATA}/mcp"):
        told = httpx2.get(served.removesuffix("/mcp") + path)
        assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
        metadata = ProtectedResourceMetadata.model_validate(told.json())
        assert str(metadata.resource) == "https://vibe.example.com/mcp"
        assert [str(each).rstrip("/") for each in metadata.authorization_servers] == [LOGIN]
    assert httpx2.get(f"{served.removesuffix('/mcp')}{METADATA}/other").status_code == 401


def test_control_without_authorization_servers_nothing_is_told(served: str) -> None:
    assert httpx2.get(served.removesuffix("/mcp") + METADATA).status_code == 401
    assert "resource_metadata" not in httpx2.post(served, headers=JSON, json=HELLO).headers["www-authenticate"]


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("", [LOGIN]),
        ("https://vibe.example.com/mcp", []),
        ("http://vibe.example.com/mcp", [LOGIN]),
        ("https://vibe.example.com/mcp?a=b", [LOGIN]),
        ("https://vibe.example.com/mcp", ["http://login.example.com"]),
        ("https://vibe.example.com/mcp", ["login.example.com"]),
    ],
)
def test_wrong_addresses_stop_the_start(settings: Any, url: str, servers: list[str]) -> None:
    settings.MCP_URL, settings.MCP_AUTHORIZATION_SERVERS = url, servers
    with pytest.raises(ConfigurationError, match="MCP_"):
        protected_resource()


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
    "members": (
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {'
        + b",".join(b'"%x":0' % each for each in range(100_000))
        + b"}}",
        *(400, "malformed-body"),
    ),
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


# Pages of other origins

APP = "https://app.example.com"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, mcp-protocol-version",
}


@pytest.fixture
def open_to_app(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]


def test_a_page_of_an_allowed_origin_may_ask_and_read_a_refusal(open_to_app: None, served: str, ada: UUID) -> None:
    asked = httpx2.options(served, headers={"origin": APP, **PREFLIGHT})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, APP)
    assert "authorization" in asked.headers["access-control-allow-headers"]
    refused = httpx2.post(served, headers={**JSON, "origin": APP}, json=HELLO)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, APP)
    assert httpx2.post(served, headers={**signed_in(), "origin": APP}, json=HELLO).status_code == 200


def test_a_page_of_another_origin_may_not(open_to_app: None, served: str) -> None:
    asked = httpx2.options(served, headers={"origin": "https://evil.example.com", **PREFLIGHT})
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers


# What is held


def test_no_stream_is_opened(served: str, ada: UUID) -> None:
    for method in ("GET", "DELETE", "PUT"):
        refused = httpx2.request(method, served, headers=signed_in(), timeout=PATIENCE)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    method = "subscriptions/listen"
    listen = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"notifications": {}, "_meta": meta}}
    headers = {**signed_in(), "mcp-protocol-version": version, "mcp-method": method}
    refused = httpx2.post(served, headers=headers, json=listen, timeout=PATIENCE)
    assert refused.json()["error"]["code"] == -32601, "no such method"


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, served: str, count: int) -> Iterator[list[Future[httpx2.Response]]]:
    """So many calls of Ada's that wait in their threads, or for one, until the block ends."""
    go_on, entities = threading.Event(), tools.list_entities

    def wait(**given: Any) -> Any:
        if given["kind"] == tools.KIND.EVENT:
            go_on.wait(PATIENCE)
        return entities(**given)

    monkeypatch.setattr(tools, "list_entities", wait)
    with ThreadPoolExecutor(count) as clients:
        sent = [clients.submit(called, served, "ada", "list_events") for _ in range(count)]
        try:
            time.sleep(1)
            yield sent
        finally:
            go_on.set()


def called(served: str, uid: str, tool: str, patience: float = PATIENCE) -> httpx2.Response:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    return httpx2.post(served, headers=signed_in(uid), json=call, timeout=patience)


def test_one_person_does_not_hold_all_threads(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(monkeypatch, served, 2 * calls.THREADS) as sent:
        assert called(served, "jonas", "list_people").json()["result"]["isError"] is False
        assert not any(each.done() for each in sent)
    assert all(each.result().json()["result"]["isError"] is False for each in sent)


def test_control_without_turns_they_do(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "AT_ONCE", 100)
    with held(monkeypatch, served, 2 * calls.THREADS):
        with pytest.raises(httpx2.ReadTimeout):
            called(served, "jonas", "list_people", 2)
        refused = httpx2.post(served, headers=JSON, json=HELLO, timeout=PATIENCE)
        assert refused.status_code == 401, "who signs in has threads apart"


def test_no_more_wait_than_may(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITING", 1)
    with held(monkeypatch, served, turns.AT_ONCE + 1):
        refused = called(served, "ada", "list_people")
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
        assert refused.headers["retry-after"] == "1"


def test_who_sends_half_a_header_or_body_is_dropped(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_connections, "HEAD_SECONDS", 1)
    monkeypatch.setattr(body, "SECONDS", 1)
    with connected(served) as header:
        header.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127")
        assert header.recv(1) == b""
    with connected(served) as half:
        half.sendall(request(100) + b"{")
        assert half.recv(12) == b"HTTP/1.1 408"
    with connected(served) as kept:  # which waits between requests, and is served again
        hello = json.dumps(HELLO).encode()
        kept.sendall(request(len(hello)) + hello)
        assert kept.recv(12) == b"HTTP/1.1 200"


# What is said and logged


@contextmanager
def connected(served: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", httpx2.URL(served).port), timeout=PATIENCE) as client:
        yield client


def request(length: int) -> bytes:
    fields = {"host": "127.0.0.1", **signed_in(), "content-length": str(length)}
    return (
        b"POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"
    )


CANARY = "canary-in-a-body"
NO_MESSAGES: dict[str, Any] = {
    "no version": {"id": 1, "method": "tools/list", "params": {"text": CANARY}},
    "params of another type": {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": CANARY},
    "method of another type": {"jsonrpc": "2.0", "id": 1, "method": {CANARY: CANARY}},
    "a text": CANARY,
    "a batch": [{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"text": CANARY}}],
}
NO_CALLS: dict[str, Any] = {
    "name of another type": {"name": {"x": CANARY}, "arguments": {}},
    "arguments of another type": {"name": "remember", "arguments": CANARY},
    "an argument of another type": {"name": "remember", "arguments": {"text": {"x": CANARY}}},
    "progress of another type": {"name": "remember", "arguments": {}, "_meta": {"progressToken": {"x": CANARY}}},
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_a_body_that_is_no_message_is_not_said_back(served: str, ada: UUID, name: str) -> None:
    answer = httpx2.post(served, headers=signed_in(), json=NO_MESSAGES[name])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
    assert CANARY not in answer.text


def test_control_the_protocol_says_it_back(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "jsonrpc_message_adapter", TypeAdapter(Any))
    assert CANARY in httpx2.post(served, headers=signed_in(), json=NO_MESSAGES["params of another type"]).text


@pytest.mark.parametrize("name", NO_CALLS)
def test_parameters_at_fault_are_not_said_back(
    served: str, ada: UUID, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": NO_CALLS[name]}
    answer = httpx2.post(served, headers=signed_in(), json=message).json()
    assert "error" in answer or answer["result"]["isError"]
    assert CANARY not in json.dumps(answer) + caplog.text


def break_off(served: str) -> None:
    """Ten clients, half of them in the middle of the body."""
    hello = json.dumps(HELLO).encode()
    for number in range(10):
        with connected(served) as client:
            client.sendall(request(len(hello)) + (hello[:10] if number % 2 else hello))
    time.sleep(0.5)
    assert httpx2.post(served, headers=signed_in(), json=HELLO).status_code == 200


def test_clients_that_break_off_leave_no_line(served: str, ada: UUID, caplog: pytest.LogCaptureFixture) -> None:
    break_off(served)
    assert not [each for each in caplog.records if each.levelname in ("WARNING", "ERROR", "CRITICAL")]


def test_control_read_by_the_protocol_they_do(
    served: str, ada: UUID, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def as_it_comes(receive: Any) -> Any:
        return receive

    monkeypatch.setattr(body, "read", as_it_comes)
    break_off(served)
    assert sum(each.exc_info is not None for each in caplog.records) >= 5


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
