"""/api/v1/facts: what is true of the person, corrected and forgotten, one person at a time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api


@pytest.fixture
def rome(as_ada: Api) -> dict[str, Any]:
    """The fact that Ada lives in Rome; before, she lived in Berlin."""
    path = f"/conversations/{as_ada.post('/conversations', {}).json()['id']}/memories"
    for day, text in (("02", "I live in Berlin."), ("05", "I moved to Rome yesterday, and I love figs.")):
        said = {"author": "user", "text": text, "occurred_at": f"2026-05-{day}T10:00:00+02:00"}
        assert as_ada.post(path, said).status_code == 201
    return as_ada.get("/facts?attribute=home").json()["items"][0]  # type: ignore[no-any-return]


def values(api: Api, query: str = "") -> list[str]:
    return [each["value"] for each in api.get(f"/facts{query}").json()["items"]]


def test_what_holds_now_or_then_or_ever_did(as_ada: Api, rome: dict[str, Any]) -> None:
    assert (rome["value"], rome["valid_from"], rome["valid_to"]) == ("Rome", "2026-05-03T22:00:00Z", None)
    assert rome["sources"][0]["said_at"] == "2026-05-05T08:00:00Z"
    assert {"memory_id", "conversation_id", "role", "start", "end"} <= rome["sources"][0].keys()
    assert values(as_ada) == ["figs", "Rome"]
    assert values(as_ada, "?as_of=2026-05-03T12:00:00Z") == ["Berlin"]
    assert values(as_ada, "?history=true") == ["figs", "Rome", "Berlin"]
    assert values(as_ada, "?attribute=diet") == []
    berlin = as_ada.get("/facts?history=true").json()["items"][-1]
    assert (berlin["valid_to"], berlin["superseded_by"]) == ("2026-05-03T22:00:00Z", rome["id"])


def test_it_is_corrected_and_keeps_its_id(as_ada: Api, rome: dict[str, Any]) -> None:
    path = f"/facts/{rome['id']}"
    corrected = as_ada.patch(path, {"value": "Porto"}).json()
    assert (corrected["id"], corrected["value"], corrected["corrected"]) == (rome["id"], "Porto", True)
    assert values(as_ada, "?attribute=home&history=true") == ["Porto", "Berlin"]
    ended = as_ada.patch(path, {"valid_to": "2026-05-20T00:00:00Z"}).json()
    assert (ended["value"], ended["valid_to"]) == ("Porto", "2026-05-20T00:00:00Z")
    assert values(as_ada, "?attribute=home") == []
    assert as_ada.patch(path, {"valid_to": None}).json()["valid_to"] is None
    assert values(as_ada, "?attribute=home") == ["Porto"]


def test_a_correction_sent_again_with_its_key_is_made_once(as_ada: Api, rome: dict[str, Any]) -> None:
    first, again = (as_ada.patch(f"/facts/{rome['id']}", {"value": "Porto"}, idempotency_key="once") for _ in range(2))
    assert first.json() == again.json()


def test_it_is_forgotten_and_its_memories_with_it_on_request(as_ada: Api, rome: dict[str, Any]) -> None:
    assert as_ada.delete(f"/facts/{rome['id']}").status_code == 204
    assert values(as_ada, "?history=true") == ["figs", "Berlin"]
    memory = rome["sources"][0]["memory_id"]
    assert as_ada.get(f"/memories/{memory}").status_code == 200
    figs = as_ada.get("/facts").json()["items"][0]["id"]
    assert as_ada.delete(f"/facts/{figs}?with_memories=true").status_code == 204
    assert as_ada.get(f"/memories/{memory}").status_code == 404


def test_somebody_elses_is_not_there(as_ada: Api, as_jonas: Api, rome: dict[str, Any]) -> None:
    assert values(as_jonas, "?history=true") == []
    path = f"/facts/{rome['id']}"
    assert as_jonas.patch(path, {"value": "Oslo"}).status_code == as_jonas.delete(path).status_code == 404
    assert "Rome" in values(as_ada)


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("?attribute=homes", None, "no-such-attribute"),
        ("?as_of=yesterday", None, "invalid"),
        ("", {"value": ""}, "invalid"),
        ("", {"colour": "red"}, "invalid"),
        ("", {"valid_to": "1990-01-01T00:00:00Z"}, "ends-before-it-begins"),
    ],
)
def test_what_is_wrong_is_said(as_ada: Api, rome: dict[str, Any], query: str, body: Any, code: str) -> None:
    answer = as_ada.patch(f"/facts/{rome['id']}", body) if body else as_ada.get(f"/facts{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.content
    assert values(as_ada) == ["figs", "Rome"]
