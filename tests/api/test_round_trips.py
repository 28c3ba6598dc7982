"""A request is one transaction of few round trips, however much it shows or adds: docs/api.md says how many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.api.conftest import Api
from tests.building import build_conversation

SAID = {"author": "Ada", "text": "I moved to Lisbon."}
SIGNED_IN = 2  # the account is looked up, and the request's own row


@contextmanager
def round_trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is sent to the database, savepoints left out: in production the outermost of a test is a transaction."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        text = query if isinstance(query, str) else getattr(query, "as_string", lambda _: str(query))(None)
        if "SAVEPOINT" not in text:
            sent.append(text)
        return execute(self, query, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", noted)
        yield sent


@pytest.fixture
def there(ada: Any, as_ada: Api) -> dict[str, str]:
    """A conversation with forty memories, told."""
    conversation = as_ada.post("/conversations", {"title": "Moving", "external_id": "chat-1"}).json()["id"]
    added = as_ada.post(f"/conversations/{conversation}/memories/batch", {"memories": [SAID] * 40}).json()["items"]
    build_conversation(ada, conversation)
    fact = as_ada.get("/facts").json()["items"][0]["id"]
    return {"c": conversation, "f": fact, "m": added[0]["id"], "s": as_ada.get("/stories").json()["items"][0]["id"]}


BOUNDS = [
    ("GET", "/me", None, 1),
    ("GET", "/me/preferences", None, 1),
    ("PATCH", "/me/preferences", {"theme": "dark"}, 4),
    ("GET", "/me/access-log", None, 1),
    ("POST", "/conversations", {"title": "x"}, 3),
    ("PUT", "/conversations/by-external-id/new", {"title": "x"}, 4),
    ("PUT", "/conversations/by-external-id/chat-1", {"title": "x"}, 2),
    ("GET", "/conversations", None, 2),
    ("GET", "/conversations?external_id=chat-1", None, 2),
    ("GET", "/conversations/{c}", None, 2),
    ("PATCH", "/conversations/{c}", {"title": "y"}, 8),
    ("POST", "/conversations/{c}/archive", None, 4),
    ("DELETE", "/conversations/{c}", None, 5),
    ("POST", "/conversations/{c}/memories", SAID, 3),
    ("POST", "/memories", {**SAID, "conversation": {"external_id": "chat-1"}}, 5),
    ("POST", "/conversations/{c}/memories/batch", {"memories": [SAID] * 5}, 3),
    ("POST", "/conversations/{c}/memories/batch", {"memories": [SAID] * 500}, 4),
    ("POST", "/conversations/{c}/memories", {**SAID, "message_id": "m1"}, 4),
    ("GET", "/conversations/{c}/memories", None, 2),
    ("GET", "/conversations/{c}/memories?last=20", None, 2),
    ("GET", "/conversations/{c}/memories?order=desc", None, 2),
    ("GET", "/conversations/{c}/memories?around={m}", None, 4),
    ("POST", "/memories/search", {"question": "Where do I live?"}, 5),
    ("POST", "/context", {}, 4),
    ("POST", "/context", {"message": "Where do I live?", "conversation_id": "{c}"}, 6),
    ("POST", "/memories/filter", {"metadata": {"mood": "glad"}}, 6),
    ("GET", "/memories/{m}", None, 2),
    ("PATCH", "/memories/{m}", {"text": "x"}, 11),
    ("DELETE", "/memories/{m}", None, 7),
    ("GET", "/stories", None, 4),
    ("GET", "/stories/{s}", None, 3),
    ("GET", "/people", None, 3),
    ("GET", "/facts", None, 3),
    ("PATCH", "/facts/{f}", {"value": "Porto"}, 7),
    ("DELETE", "/facts/{f}", None, 6),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: " ".join(bound[:2]))
def test_round_trips_are_bounded(
    as_ada: Api, there: dict[str, str], monkeypatch: pytest.MonkeyPatch, bound: tuple[str, str, Any, int]
) -> None:
    method, path, body, most = bound
    with round_trips(monkeypatch) as sent:
        answer = as_ada(method, path.format(**there), body and json.loads(json.dumps(body).replace("{c}", there["c"])))
    assert answer.status_code < 300, answer.content
    assert len(sent) - SIGNED_IN <= most, "\n".join(sent)


def test_outside_of_tests_signing_in_is_one_round_trip_and_so_is_beginning(
    really_ada: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With real transactions, whose BEGIN goes with the scope; COMMIT comes on top."""
    settings.API_LIMIT_PERSON = "600/100"
    memories = f"/conversations/{really_ada.post('/conversations', {}).json()['id']}/memories"
    really_ada.post(memories, SAID)  # the type of vectors is asked for once a connection
    with round_trips(monkeypatch) as adding:
        added = really_ada.post(memories, SAID).json()["id"]
    with round_trips(monkeypatch) as getting:
        really_ada.get(f"/memories/{added}")
    assert len(getting) == 5  # the account; the limit; BEGIN with the memory; the keys; the trail with COMMIT
    # The third with the keys and what it follows; its conversation, locked; all that is written; the request's row.
    assert len(adding) == 6


def test_a_key_costs_three_more_at_most(as_ada: Api, there: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/conversations/{there['c']}/memories"
    with round_trips(monkeypatch) as plain:
        as_ada.post(path, SAID)
    with round_trips(monkeypatch) as keyed:
        as_ada.post(path, SAID, idempotency_key="k")
    assert len(keyed) - len(plain) <= 3  # claimed, the keys opened again, kept
