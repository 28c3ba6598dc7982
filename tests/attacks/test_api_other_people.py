"""One person tries, through the API, everything that names something of another: ids, cursors, keys, filters, links.

Each attempt must be answered as for what does not exist, and leave the other's rows as they are.
VIBE_ATTACK=full makes 100,000 attempts, in parts that workers share.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from accounts.authentication.caller import Caller
from tests.api.conftest import Api
from tests.building import build_conversation
from vibe.api.instance import api
from vibe.core.db.scopes import as_user

PARTS, ATTEMPTS = (100, 1_000) if os.environ.get("VIBE_ATTACK") == "full" else (1, 400)
SECRET, NOWHERE = "marmalade", str(uuid4())
BODIES: dict[str, Any] = {
    "ensure_conversation": {"title": "taken over"},
    "change_conversation": {"title": "taken over"},
    "add_memory": {"author": "Jonas", "text": "I was here"},
    "add_memories_at_once": {"memories": [{"author": "Jonas", "text": "I was here"}]},
    "put_memory": {"author": "Jonas", "text": "I was here"},
    "change_memory": {"text": "I was here"},
    "correct_story": {"text": "I was here"},
}
OF_ITS_OWN = ("id", "external_id", "started_at", "active_at", "created_at", "updated_at")
TABLES = ("conversations", "encrypted_memories", "stories", "passages", "user_preferences", "kept_answers")


@dataclass(frozen=True)
class Attempt:
    """A request, and the same one for what does not exist (or for what is the attacker's own and empty)."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    nowhere: str


@pytest.fixture(autouse=True)
def without_limits(settings: Any) -> None:
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"


@pytest.fixture
def hers(ada: UUID, jonas: UUID) -> dict[str, list[str]]:
    """What of Ada's is there to try: ids, cursors, idempotency keys."""
    api_of_ada = Api("ada")
    made: dict[str, list[str]] = {"ids": [str(ada)], "external ids": [], "cursors": [], "keys": []}
    for number in range(3):
        new = {"title": f"{SECRET} {number}", "external_id": f"chat-{number}"}
        begun = api_of_ada.post("/conversations", new, idempotency_key=f"key-{number}")
        conversation = begun.json()["id"]
        said = [{"author": "Ada", "text": f"The {SECRET} is in Lisbon."}] * 3
        memories = api_of_ada.post(f"/conversations/{conversation}/memories/batch", {"memories": said}).json()["items"]
        build_conversation(ada, UUID(conversation))
        made["external ids"].append(f"chat-{number}")
        made["ids"] += [conversation, *(each["id"] for each in memories)]
        made["cursors"].append(api_of_ada.get(f"/conversations/{conversation}/memories?limit=1").json()["next"])
        made["keys"].append(f"key-{number}")
    made["ids"] += [each["id"] for each in api_of_ada.get("/stories").json()["items"]]
    for path in ("/conversations", "/stories", "/me/access-log", "/people", "/places"):
        made["cursors"].append(api_of_ada.get(f"{path}?limit=1").json()["next"])
    return made


def attempts(hers: dict[str, list[str]], count: int, part: int = 0) -> Iterator[Attempt]:
    """Every operation with an id in turn, with every id of hers; and lists, searches and keys. A part has its own."""
    by_id = [
        (method.upper(), path.removeprefix("/api/v1"), operation["operationId"])
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method, operation in operations.items()
        if "{" in path
    ]
    lists = ["/conversations", "/stories", "/me/access-log", "/people", "/places", "/events"]
    dice = random.Random(6 + part)
    for number in range(part * count, (part + 1) * count):
        kind = number % 8
        if kind < 5:
            method, path, name = by_id[(number // 8 * 5 + kind) % len(by_id)]
            parameter = path[path.index("{") : path.index("}") + 1]
            target = dice.choice(hers["external ids" if parameter == "{external_id}" else "ids"])
            headers = dice.choice([{}, {"if-match": "*"}, {"idempotency-key": dice.choice(hers["keys"])}])
            yield Attempt(
                method, path.replace(parameter, target), BODIES.get(name), headers, path.replace(parameter, NOWHERE)
            )
        elif kind == 5:
            path = dice.choice(lists)
            yield Attempt("GET", f"{path}?cursor={dice.choice(hers['cursors'])}", None, {}, f"{path}?cursor=AAAA")
        elif kind == 6:
            asked = {"question": f"Where is the {SECRET}?", "conversation_id": dice.choice(hers["ids"])}
            yield Attempt("POST", "/stories/search", asked, {}, "/stories/search")
        else:
            link = dice.choice([*hers["cursors"], *hers["ids"]])
            yield Attempt("GET", f"/me/export/file?link={link}", None, {}, "/me/export/file?link=x")


def told(answer: Any) -> tuple[int, Any]:
    """An answer without what differs of itself: ids, times, and the external id that was asked for."""
    if not answer.content:
        return answer.status_code, None
    found = json.loads(answer.content)
    for name in ("request_id", *(OF_ITS_OWN if answer.status_code == 201 else ())):
        found.pop(name, None)
    return answer.status_code, found


class Attacker:
    """One who tries, and remembers what is said of what does not exist."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.known: dict[str, Any] = {}

    def finds(self, attempt: Attempt) -> bool:
        """Whether the answer says anything of hers, or anything else than for what does not exist."""
        answer = undone(lambda: self.api(attempt.method, attempt.path, attempt.body, **attempt.headers))
        return SECRET in answer.content.decode() or told(answer) != self.absent(attempt)

    def absent(self, attempt: Attempt) -> Any:
        """What is said of what does not exist: asked once for each kind of request."""
        kind = repr((attempt.method, attempt.nowhere, attempt.headers))
        if kind not in self.known:
            asked = undone(lambda: self.api(attempt.method, attempt.nowhere, attempt.body, **attempt.headers))
            self.known[kind] = told(asked)
        return self.known[kind]


def undone(ask: Callable[[], Any]) -> Any:
    """An answer, of which nothing stays."""
    with transaction.atomic():
        answer = ask()
        transaction.set_rollback(True)
    return answer


def rows_of(user_id: UUID) -> list[Any]:
    """Everything of hers as it lies in the database."""
    found = []
    with as_user(user_id), connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM {table} t WHERE user_id = %s", [user_id]
            )
            found.append(cursor.fetchone())
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_another_persons_things_are_as_if_they_were_not_there(
    ada: UUID, hers: dict[str, list[str]], part: int, record_property: Callable[[str, object], None]
) -> None:
    before, attacker = rows_of(ada), Attacker(Api("jonas"))
    assert [each for each in attempts(hers, ATTEMPTS, part) if attacker.finds(each)] == []
    assert rows_of(ada) == before
    record_property("figure", f"{PARTS * ATTEMPTS:,} attempts, 0 rows of another")


def test_a_key_of_hers_does_for_him_what_he_asks_and_gives_back_nothing_of_hers(
    ada: UUID, hers: dict[str, list[str]]
) -> None:
    before = rows_of(ada)
    answer = Api("jonas").post("/conversations", {"title": f"{SECRET} 0"}, idempotency_key=hers["keys"][0])
    assert (answer.status_code, "Idempotency-Replayed" in answer) == (201, False)
    assert answer.json()["id"] not in hers["ids"]
    assert rows_of(ada) == before


def test_control_somebody_taken_for_her_is_found(
    ada: UUID, hers: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "accounts.authentication.middleware.find_caller", lambda _, __, origin: Caller(ada, "token", origin=origin)
    )
    attacker = Attacker(Api("jonas"))
    assert sum(attacker.finds(each) for each in attempts(hers, 200)) > 10
