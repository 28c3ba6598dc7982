"""The API against its own description: whatever is sent, it answers as it says, and never to strangers.

Short here; VIBE_ATTACK=full sends 1,000 examples an operation.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.api.conftest import Api, who_may
from tests.building import build_conversation
from vibe.api.instance import api

FULL = os.environ.get("VIBE_ATTACK") == "full"
EXAMPLES = 500 if FULL else 6  # of what fits the description, and as many of what does not
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
QUIET = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
    "derandomize": not FULL,
}


def by(case: Any, person: Api) -> dict[str, str]:
    """The headers of who may call."""
    return who_may(case.operation.path.removeprefix("/api/v1"), person).headers


def called(case: Any, **headers: str) -> Any:
    """Send a case inside the test's transaction. (Django's own client puts this handler back after each request.)"""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    return case.call(headers={"Accept-Encoding": "identity", **headers})


def operation_names() -> list[str]:
    paths = api.get_openapi_schema()["paths"].values()
    return sorted(operation["operationId"] for operations in paths for operation in operations.values())


@pytest.fixture(scope="module")
def described(django_db_setup: None) -> Any:
    """As it is given out."""
    document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    schema = schemathesis.openapi.from_dict(document)
    schema.app = WSGIHandler()
    return schema


@pytest.fixture
def things(as_ada: Api, ada: Any) -> dict[str, str]:
    """One of everything that has an id."""
    conversation = as_ada.post("/conversations", {"title": "Moving"}).json()["id"]
    said = {"author": "Ada", "text": "I moved to Lisbon with Ines."}
    memory = as_ada.post(f"/conversations/{conversation}/memories", said).json()["id"]
    build_conversation(ada, conversation)
    story = as_ada.get("/stories").json()["items"][0]["id"]
    fact = as_ada.get("/facts").json()["items"][0]["id"]
    return {"conversation_id": conversation, "memory_id": memory, "story_id": story, "fact_id": fact}


@pytest.mark.parametrize("name", operation_names())
def test_every_operation_answers_as_it_says(as_ada: Api, described: Any, things: dict[str, str], name: str) -> None:
    operation = described.find_operation_by_id(name)
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    seen: Counter[int] = Counter()

    headers = by(operation.Case(), as_ada)

    @hypothesis_settings(max_examples=2 * EXAMPLES, **QUIET)
    @given(case=cases, aimed=strategies.booleans())
    def run(case: Any, aimed: bool) -> None:
        if aimed:  # at what is there
            case.path_parameters.update({each: things[each] for each in things if each in case.path_parameters})
        with undone():
            response = called(case, **headers)
        seen[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        with undone():
            assert called(case, Authorization="").status_code in (401, 404, 405)

    run()
    print(name, dict(seen))


class undone:  # noqa: N801  # reads as what it is: with undone()
    """Whatever a request does is not there for the next."""

    def __enter__(self) -> None:
        self.point = transaction.savepoint()

    def __exit__(self, *_: object) -> None:
        transaction.savepoint_rollback(self.point)
        transaction.savepoint_commit(self.point)  # or thousands would pile up


@pytest.fixture
def walked() -> Iterator[Counter[str]]:
    counted: Counter[str] = Counter()
    yield counted
    print(dict(counted))


def test_whole_ways_through_it(as_ada: Api, described: Any, walked: Counter[str]) -> None:
    """What one operation gave is what the next is asked for: made, read, changed, deleted, read again."""

    class Ways(described.exclude(operation_id="erase_me").as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.undone = undone()
            self.undone.__enter__()

        def teardown(self) -> None:  # or what a way is told would depend on the ways before
            self.undone.__exit__()

        def call(self, case: Any, **_: Any) -> Any:
            return called(case, **by(case, as_ada))

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            walked[f"{case.operation.method.upper()} {response.status_code}"] += 1
            case.validate_response(response, checks=CHECKS)

    Ways.run(
        settings=hypothesis_settings(max_examples=200 if FULL else 4, stateful_step_count=20 if FULL else 10, **QUIET)
    )
    assert walked["POST 201"]


def test_refusals_have_the_headers_that_are_described(as_ada: Api, described: Any, settings: Any) -> None:
    case = described.find_operation_by_id("get_me").Case()
    settings.API_LIMIT_PERSON, seen = "60/1", []
    for headers in (as_ada.headers, as_ada.headers, {}):
        response = called(case, **headers)
        case.validate_response(response, checks=CHECKS)
        seen.append((response.status_code, set(response.headers) & {"ratelimit", "retry-after", "www-authenticate"}))
    assert seen == [(200, {"ratelimit"}), (429, {"ratelimit", "retry-after"}), (401, {"www-authenticate"})]


def test_what_has_few_values_names_them() -> None:
    schemas = api.get_openapi_schema()["components"]["schemas"]
    assert set(schemas["Role"]["enum"]) == {"user", "assistant", "system", "tool", "other"}
    assert "weekend" in schemas["Event"]["properties"]["precision"]["enum"]
    assert "not-found" in schemas["Problem"]["properties"]["code"]["enum"]


def test_control_an_answer_that_is_not_described_is_found(
    as_ada: Api, described: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe.core.errors.NotFound.status", 418)
    operation = described.find_operation_by_id("get_memory")
    case = operation.Case(path_parameters={"memory_id": "5199e853-f9fb-4cc2-9108-2038fb148f0f"})
    response = called(case, **as_ada.headers)
    with pytest.raises(schemathesis.errors.FailureGroup if hasattr(schemathesis.errors, "FailureGroup") else Exception):
        case.validate_response(response, checks=CHECKS)


def test_it_is_openapi_3_1_with_examples_and_says_who_is_let_in() -> None:
    schema = api.get_openapi_schema()
    assert schema["openapi"].startswith("3.1")
    assert len(operation_names()) == len(set(operation_names()))
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert operation["security"], operation["operationId"]
            assert {"401", "422", "503"} <= set(map(str, operation["responses"]))
            assert operation["description"]
    for name in ("NewConversation", "AddedMemory", "Search", "CorrectedStory", "Problem"):
        assert any("examples" in field for field in schema["components"]["schemas"][name]["properties"].values())
