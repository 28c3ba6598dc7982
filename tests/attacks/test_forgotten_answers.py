"""Attack: what was added with an Idempotency-Key and then deleted is asked for again by the same request.

Nothing of it is given back, and it is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.idempotency import TABLE, KeptReply
from accounts.keys.services.data_keys import open_vault
from accounts.models import KeptAnswer
from memories.api import memories as operations
from memories.models import Conversation, Memory
from tests.api.conftest import Api, as_ada, without_limits  # noqa: F401  fixtures
from vibe.api import decorators
from vibe.api.instance import api
from vibe.core.crypto.seal import Address
from vibe.core.db.scopes import as_user
from vibe.core.http.operations import READ_ANEW

SECRET = "I moved to Lisbon with Tomas."
SAID = {"author": "Ada", "text": SECRET, "metadata": {"mood": SECRET}}
GONE = (410, "gone")
# Erasing signs the person out; after a cancelled erasure a retry has nothing to show. What a server asks for itself,
# of people and webhooks, takes no Idempotency-Key: a secret is shown once.
WITHOUT_READER = {
    *("erase_me", "ensure_user", "deactivate_user"),
    *("create_webhook", "change_webhook", "rotate_webhook_secret"),
}


class Retried:
    """A request with a key, sent as often as one likes."""

    def __init__(self, client: Api, method: str, path: str, body: Any = None) -> None:
        self.client, self.sent = client, (method, path, body)
        self.first = self.again()
        assert self.first.status_code < 300, self.first.content

    def again(self) -> Any:
        return self.client(*self.sent, idempotency_key="key")


@pytest.fixture
def conversation(as_ada: Api) -> str:  # noqa: F811
    return f"/conversations/{as_ada.post('/conversations', {}).json()['id']}"


@pytest.fixture
def added(as_ada: Api, conversation: str) -> Retried:  # noqa: F811
    return Retried(as_ada, "POST", f"{conversation}/memories", SAID)


def refusal(answer: Any) -> tuple[int, str]:
    assert SECRET.encode() not in answer.content
    return answer.status_code, answer.json()["code"]


def count(user_id: UUID) -> tuple[int, int]:
    """Conversations and memories."""
    with as_user(user_id):
        return Conversation.objects.of(user_id).count(), Memory.objects.of(user_id).count()


def delete_memory(client: Api, added: Retried) -> None:
    assert client.delete(f"/memories/{added.first.json()['id']}").status_code == 204


def delete_conversation(client: Api, added: Retried) -> None:
    assert client.delete(f"/conversations/{added.first.json()['conversation_id']}").status_code == 204


def let_expire(client: Api, added: Retried) -> None:
    path = f"/memories/{added.first.json()['id']}"
    soon = timezone.now() + timedelta(hours=1)
    assert client.patch(path, {"expires_at": soon.isoformat()}).status_code == 200
    user_id = UUID(client.get("/me").json()["id"])
    with as_user(user_id):
        Memory.objects.of(user_id).update(expires_at=Now() - timedelta(seconds=1))
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("forget", [delete_memory, delete_conversation, let_expire])
def test_a_forgotten_memory_is_not_given_back(
    as_ada: Api,  # noqa: F811
    ada: UUID,
    added: Retried,
    forget: Callable[[Api, Retried], None],
) -> None:
    forget(as_ada, added)
    before = count(ada)
    assert [refusal(added.again()) for _ in range(2)] == [GONE, GONE]
    assert count(ada) == before


def test_of_a_batch_what_is_left_is_given_back(as_ada: Api, ada: UUID, conversation: str) -> None:  # noqa: F811
    texts = ["First.", SECRET, "Third."]
    batch = Retried(
        as_ada, "POST", f"{conversation}/memories/batch", {"memories": [{**SAID, "text": text} for text in texts]}
    )
    first = batch.first.json()["items"]
    assert (batch.again().json()["items"], batch.again().status_code) == (first, 201)
    as_ada.delete(f"/memories/{first[1]['id']}")
    assert batch.again().json()["items"] == [first[0], None, first[2]]
    as_ada.delete(conversation)
    assert batch.again().json()["items"] == [None] * 3
    assert count(ada) == (0, 0)


def test_a_forgotten_conversation_is_not_given_back(as_ada: Api, ada: UUID) -> None:  # noqa: F811
    begun = Retried(as_ada, "POST", "/conversations", {"title": SECRET})
    as_ada.delete(f"/conversations/{begun.first.json()['id']}")
    assert refusal(begun.again()) == GONE
    assert count(ada) == (0, 0)


def test_what_was_changed_since_is_given_as_it_is_now(as_ada: Api, added: Retried) -> None:  # noqa: F811
    where = f"/memories/{added.first.json()['id']}"
    changed = as_ada.patch(where, {"text": "Of something else.", "metadata": None})
    again = added.again()
    assert (again.status_code, again.json()) == (201, changed.json())
    assert (again["ETag"], again["Location"]) == (changed["ETag"], added.first["Location"])
    assert SECRET.encode() not in again.content


def test_preferences_taken_away_are_not_given_back(as_ada: Api) -> None:  # noqa: F811
    set_once = Retried(as_ada, "PATCH", "/me/preferences", {"note": SECRET, "id": SECRET})
    as_ada.patch("/me/preferences", {"note": None, "id": None, "theme": "dark"})
    assert (set_once.again().status_code, set_once.again().json()) == (200, {"theme": "dark"})


def test_what_is_kept_holds_no_text_even_opened(ada: UUID, added: Retried) -> None:
    [kept] = opened(ada)
    assert set(kept) == {"request", "status", "headers", "bodied", "ids"}
    assert kept["ids"] == [added.first.json()["id"]]
    assert SECRET not in json.dumps(kept)


def opened(user_id: UUID) -> list[dict[str, Any]]:
    """What is kept of answers, in clear."""
    with as_user(user_id):
        rows = list(KeptAnswer.objects.of(user_id))
        return [json.loads(open_vault().open(row.answer, Address(TABLE, "answer", user_id, row.pk))) for row in rows]


def test_what_is_shown_once_is_not_shown_again(
    as_ada: Api,  # noqa: F811
    ada: UUID,
    conversation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of the API is today; it would be an operation without a reader."""
    monkeypatch.delattr(operations.add_memory, READ_ANEW)
    added = Retried(as_ada, "POST", f"{conversation}/memories", SAID)
    assert refusal(added.again()) == GONE
    assert count(ada) == (1, 1)


def test_every_operation_whose_answer_has_a_body_says_how_it_is_read_anew() -> None:
    bodied = {
        operation.view_func.__name__: operation.view_func
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        if not {"GET", "HEAD"} & set(operation.methods)
        and any(operation.response_models.values())
        and not reads_only(operation)
    }
    assert len(bodied) >= 10
    assert {name for name, operation in bodied.items() if not hasattr(operation, READ_ANEW)} == WITHOUT_READER


def reads_only(operation: Any) -> bool:
    return any(getattr(way, "scope", None) == "read" for way in operation.auth_callbacks)


def test_control_an_answer_kept_whole_is_given_back(
    as_ada: Api,  # noqa: F811
    ada: UUID,
    conversation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep = decorators.kept

    def keep_whole(asked: str, request: HttpRequest, operation: Any, response: HttpResponse) -> KeptReply:
        plain = keep(asked, request, operation, response)
        return KeptReply(plain.request, plain.status, plain.headers, True, [response.content.decode()])

    def replay_whole(request: HttpRequest, operation: Any, reply: KeptReply) -> HttpResponse:
        return HttpResponse(reply.ids[0], status=reply.status, content_type="application/json")

    monkeypatch.setattr(decorators, "kept", keep_whole)
    monkeypatch.setattr(decorators, "replay", replay_whole)
    added = Retried(as_ada, "POST", f"{conversation}/memories", SAID)
    delete_memory(as_ada, added)
    again = added.again()
    assert (again.status_code, again.json()["text"], count(ada)) == (201, SECRET, (1, 0))
    assert SECRET in json.dumps(opened(ada))
