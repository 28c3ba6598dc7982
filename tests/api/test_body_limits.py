"""Each operation takes what its schema allows, however it is written, and what the guide says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from accounts.models import PREFERENCES_BYTES
from tests.api.bodies import ALL, WITH_BODY, Operation, largest
from tests.api.conftest import who_may
from tests.attacks.test_bodies import limit_of_operation
from vibe.core.errors import ConfigurationError
from vibe.core.http.bodies import BodyLimit
from vibe.core.strict_json import MalformedJson, check_structure, read_json

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
TAKEN = {200, 201, 404}  # 404: nothing is at that address, which is looked up once the body was taken
# No text of that length is one of ours, nor a time zone, which is looked up likewise.
READ = (b'"code": "cursor-invalid"', b"time_zone is no time zone", b"has to be a URL")
FREE = {"change_preferences", "add_memories_at_once"}  # whose schemas allow more than is taken
JSON = {
    "two members of one name": b'{"a": 1, "a": 2}',
    "deep": b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    "deep beyond recursion": b"[" * 2_000,
    "a number too long": b'{"a":' + b"9" * 5_000 + b"}",
    "a number too large": b'{"a": 1e999}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "half a pair": b'{"a": "\\ud83d"}',
    "half a pair in a name": b'{"\\ude00": 0}',
    "half a pair as UTF-8": b'{"a": "\xed\xa0\xbd"}',
    "NUL": b'{"a": "\\u0000"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "latin-1": '{"a": "ü"}'.encode("latin-1"),
    "a control character": b'{"a": "\n"}',
    "two texts": b"{} {}",
}


@pytest.mark.parametrize("operation", [each for each in WITH_BODY if each.name not in FREE], ids=lambda each: each.name)
def test_the_largest_body_of_its_schema_is_taken(as_ada: Any, operation: Operation) -> None:
    body = largest(operation.schema or {})
    answer = who_may(operation.path, as_ada).raw(operation.method, operation.path, body)
    assert answer.status_code in TAKEN or any(said in answer.content for said in READ), answer.content
    assert len(body) <= limit_of_operation(operation.name).size <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_a_batch_is_taken_to_its_limit(as_ada: Any) -> None:
    [batch] = [each for each in WITH_BODY if each.name == "add_memories_at_once"]
    assert limit_of_operation(batch.name).size == settings.API_BODY_LIMIT
    member = json.dumps({"author": "Ada", "text": "x", "occurred_at": "2026-05-12T09:30:00Z", "message_id": "m"})
    body = b'{"memories": [' + b", ".join([member.encode()] * 1000) + b"]}"
    body += b" " * (settings.API_BODY_LIMIT - len(body))
    assert as_ada.raw(batch.method, batch.path, body).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "' + b"\\u0061" * (PREFERENCES_BYTES - 10) + b'"}',
        b'{"a":[' + b",".join([b"0"] * (PREFERENCES_BYTES // 3 - 10)) + b"]}",
        json.dumps({"a": [{"b": []}] * 5_000}, indent=4).encode(),
    ],
    ids=["escapes", "numbers", "lists"],
)
def test_preferences_are_taken_as_long_as_they_are_stored(as_ada: Any, body: bytes) -> None:
    assert as_ada.raw("PATCH", "/me/preferences", body).status_code == 200


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_what_is_no_json_is_refused_by_every_operation(as_ada: Any, operation: Operation) -> None:
    caller = who_may(operation.path, as_ada)
    for name, body in JSON.items():
        answer = caller.raw(operation.method, operation.path, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body"), name
    for content_type in ("application/json; charset=utf-16", "text/json"):
        assert caller.raw(operation.method, operation.path, b"{}", content_type).status_code == 415
    assert caller.raw(operation.method, operation.path, b"{}", content_encoding="gzip").status_code == 415


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.name)
def test_a_length_that_is_no_number(as_ada: Any, operation: Operation) -> None:
    caller = who_may(operation.path, as_ada)
    for length in ("x", "-1", "1e3", "²"):
        answer = caller.client.generic(
            operation.method, f"/api/v1{operation.path}", b"", headers=caller.headers, CONTENT_LENGTH=length
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body"), length


def test_a_length_beyond_all_numbers(as_ada: Any) -> None:
    answer = as_ada.client.generic(
        "POST", "/api/v1/conversations", b"", headers=as_ada.headers, CONTENT_LENGTH="9" * 5_000
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_twenty_faults_are_named_and_the_others_counted(as_ada: Any) -> None:
    answer = as_ada.post("/conversations", {f"unknown-{each}": 0 for each in range(23)}).json()
    assert [each["field"] for each in answer["errors"]] == [f"body.unknown-{each}" for each in range(20)]
    assert answer["more_errors"] == 3
    assert "more_errors" not in as_ada.post("/conversations", {"unknown": 0}).json()


def test_an_unknown_name_is_said_back_bounded_and_printable(as_ada: Any) -> None:
    answer = as_ada.post("/conversations", {"n" * 10_000: 0, "a\r\n\x1b[2J\u202eb": 0}).json()
    assert [each["field"] for each in answer["errors"]] == [
        f"body.{'n' * 64}…",
        "body.a\\r\\n\\x1b[2J\\u202eb",
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', '\\"', "\\", "[{,", "😀"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5),
)


def held(value: Any) -> int:
    """Members and elements in all; what is empty counts as one."""
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
        return max(1, len(inner)) + sum(map(held, inner))
    return 0


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_the_count_is_that_of_the_parser(value: Any, ascii_only: bool, indent: int | None) -> None:
    body, count = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(), held(value)
    check_structure(body, max(count, 1))
    if count > 0:
        with pytest.raises(MalformedJson):
            check_structure(body, count - 1)


def test_a_schema_without_bounds_is_refused_at_start() -> None:
    class NoLength(BaseModel):
        text: str

    class NoCount(BaseModel):
        numbers: list[int]

    class AnyShape(BaseModel):
        free: dict[str, Any]

    for shape in (NoLength, NoCount, AnyShape):
        with pytest.raises(ConfigurationError):
            BodyLimit.of_schema(shape.model_json_schema(), batch=1)


def test_deep_is_refused_before_it_is_built() -> None:
    with pytest.raises(MalformedJson, match="32"):
        read_json(b"[" * 33 + b"]" * 33, 100)
    assert read_json(b"[" * 32 + b"]" * 32, 100)


def test_the_guide_has_the_limit_of_every_operation() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \| [\d,]+ \|$", GUIDE.read_text(), re.MULTILINE))
    values = dict(re.findall(r"^\| `(\w+)` \| [\d,]+ \| ([\d,]+) \|$", GUIDE.read_text(), re.MULTILINE))
    limits = {each.name: limit_of_operation(each.name) for each in WITH_BODY}
    assert said == {name: f"{limit.size:,}" for name, limit in limits.items()}
    assert values == {name: f"{limit.values:,}" for name, limit in limits.items()}
