"""POST /context: in and out, and what it says to what it cannot do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Api

SAID = {"author": "Ada", "role": "user", "text": "I moved to Lisbon."}


@pytest.fixture
def there(as_ada: Api) -> dict[str, Any]:
    """A conversation of one memory, and the memory."""
    conversation = as_ada.post("/conversations", {}).json()["id"]
    return as_ada.post(f"/conversations/{conversation}/memories", SAID).json()


def test_it_gives_chat_messages_or_a_text_with_the_ids_of_its_pieces(as_ada: Api, there: dict[str, Any]) -> None:
    here = {"conversation_id": there["conversation_id"], "message": "Where do I live?"}
    chat = as_ada.post("/context", here).json()
    known, turn = chat["messages"]
    assert "home: Lisbon" in known["content"], "the very next context knows what was said"
    assert (known["role"], turn) == ("user", {"role": "user", "content": "I moved to Lisbon."})
    assert chat["text"] is None
    pieces = {each["part"]: each for each in chat["pieces"]}
    assert pieces.keys() == {"facts", "turns"}
    assert (pieces["turns"]["id"], pieces["turns"]["is_whole"]) == (there["id"], True)
    text = as_ada.post("/context", {"message": "Where do I live?", "format": "text"}).json()
    assert text["messages"] is None
    assert "Ada: I moved to Lisbon." in text["text"]
    assert text["characters"] == len(text["text"])
    assert text["pending"] == 0


def test_a_budget_too_small_for_anything_gives_nothing(as_ada: Api, there: dict[str, Any]) -> None:
    assert there
    for budget in ({"tokens": 10}, {"characters": 10}, {"tokens": 1_000_000, "characters": 1}):
        answer = as_ada.post("/context", {"message": "Where do I live?", "format": "text", **budget}).json()
        assert (answer["text"], answer["pieces"], answer["tokens"]) == ("", [], 0)
    large = as_ada.post("/context", {"message": "Where do I live?", "tokens": 1_000_000})
    assert "Lisbon" in large.json()["messages"][0]["content"]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"tokens": each} for each in (0, -1, 1_000_001, "1500", 1.5, None, True)),
        *({"characters": each} for each in (0, 1_000_001)),
        *({"parts": each} for each in (["secrets"], ["turns"] * 7, "turns")),
        *({"format": "xml"}, {"asked_at": "yesterday"}, {"conversation_id": "mine"}, {"message": 7}, {"mesage": "x"}),
        *({"companion": ""}, {"message": "x" * 100_001}),
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_what_is_wrong_is_named(as_ada: Api, wrong: dict[str, Any]) -> None:
    answer = as_ada.post("/context", wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    [name] = wrong
    assert answer.json()["errors"][0]["field"].startswith(f"body.given.{name}") or name in str(answer.json()["errors"])


def test_anothers_conversation_is_as_if_it_were_not_there(as_jonas: Api, there: dict[str, Any]) -> None:
    for elsewhere in (there["conversation_id"], str(uuid4())):
        answer = as_jonas.post("/context", {"message": "Lisbon?", "conversation_id": elsewhere})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert as_jonas.post("/context", {"message": "Lisbon?"}).json()["pieces"] == []


def test_it_is_for_keys_that_may_read(ada: Any, server: Any) -> None:
    assert ada
    assert server("read").as_("ada").post("/context", {}).status_code == 200
    assert server("write").as_("ada").post("/context", {}).json()["code"] == "scope-missing"
