"""Whatever comes in, the answer is a problem document that says what to do, and nothing is half-written."""

from __future__ import annotations

import json
import logging

import pytest

from memories.models import Conversation
from vibe.core.db.scopes import as_user

SECRET = "the-cellar-key-is-under-the-lemon-tree"
DEEP = b"[" * 40 + b"]" * 40

BODIES = {
    "no JSON": (b"{", 400, "malformed-body"),
    "truncated": (b'{"title": "' + SECRET.encode(), 400, "malformed-body"),
    "not UTF-8": (b'{"title": "\xff"}', 400, "malformed-body"),
    "UTF-16": ('{"title": "x"}'.encode("utf-16"), 400, "malformed-body"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "malformed-body"),
    "a member twice": (b'{"title": "a", "title": "b"}', 400, "malformed-body"),
    "a member twice, spelt otherwise": (b'{"title": "a", "titl\\u0065": "b"}', 400, "malformed-body"),
    "NUL": (b'{"title": "a\\u0000b"}', 400, "malformed-body"),
    "NUL in a name": (b'{"ti\\u0000tle": "a"}', 400, "malformed-body"),
    "half a pair": (b'{"title": "\\ud83d"}', 400, "malformed-body"),
    "NaN": (b'{"title": NaN}', 400, "malformed-body"),
    "Infinity": (b'{"title": -Infinity}', 400, "malformed-body"),
    "a number beyond all": (b'{"title": 1e999}', 400, "malformed-body"),
    "a number too long": (b'{"title": ' + b"9" * 5000 + b"}", 400, "malformed-body"),
    "deep": (b'{"title": ' + DEEP + b"}", 400, "malformed-body"),
    "very deep": (b"[" * 70_000, 400, "malformed-body"),
    "very deep objects": (b'{"a":' * 10_000, 400, "malformed-body"),
    "a list": (b"[]", 422, "invalid"),
    "null": (b"null", 422, "invalid"),
    "a wrong type": (b'{"title": 7}', 422, "invalid"),
    "an unknown member": (json.dumps({"titel": SECRET}).encode(), 422, "invalid"),
    "too long": (json.dumps({"title": "x" * 1001}).encode(), 422, "invalid"),
    "a time without zone": (b'{"started_at": "2026-05-12T09:30:00"}', 422, "invalid"),
    "a time as a number": (b'{"started_at": 1700000000}', 422, "invalid"),
    "a time that is not": (b'{"started_at": "2026-02-30T09:30:00Z"}', 422, "invalid"),
    "a time too far": (b'{"started_at": "9999-12-31T23:59:59-23:00"}', 422, "invalid"),
    "an empty body": (b"", 422, "invalid"),
    "too large": (b'{"title": "' + b"x" * (8 * 1024 * 1024) + b'"}', 413, "body-too-large"),
}


def test_a_host_that_is_none_of_ours(as_ada):
    """Refused before anything of ours sees it, by Django: told as a problem all the same."""
    answer = as_ada.get("/conversations", host="gvv@<??NzbHk")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_taken(ada, as_ada, name, caplog):
    body, status, code = BODIES[name]
    with caplog.at_level(logging.DEBUG):
        answer = as_ada.raw("POST", "/conversations", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert SECRET not in answer.content.decode() + caplog.text
    with as_user(ada):
        assert not Conversation.objects.of(ada).exists()


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_a_body_of_another_type(as_ada, content_type):
    answer = as_ada.raw("POST", "/conversations", b'{"title": "x"}', content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


def test_a_compressed_body(as_ada):
    answer = as_ada.raw("POST", "/conversations", b"{}", content_encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


def test_a_body_without_its_length(as_ada):
    answer = as_ada.raw("POST", "/conversations", b"", transfer_encoding="chunked")
    assert (answer.status_code, answer.json()["code"]) == (411, "length-required")


def test_each_field_at_fault_is_named(as_ada, begun):
    path = f"/conversations/{begun()}/memories/batch"
    answer = as_ada.post(path, {"memories": [{"author": "Ada", "text": "x"}, {"author": 5, "text": SECRET * 9}]})
    assert answer.json()["errors"] == [
        {"field": "body.memories[1].author", "code": "string_type", "detail": "Input should be a valid string"}
    ]


@pytest.mark.parametrize("path", ["/nowhere", "/conversations/junk", "/memories/", "/conversations/%00"])
def test_an_address_that_leads_nowhere(as_ada, nobody, path):
    for caller in (as_ada, nobody):
        answer = caller.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_a_method_that_is_not_known(as_ada):
    answer = as_ada("PUT", "/conversations", {})
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer["Allow"] == "GET, POST" or set(answer["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "archived=perhaps", "limit=%00", "limit="])
def test_a_query_that_cannot_be_taken(as_ada, query):
    assert as_ada.get(f"/conversations?{query}").status_code == 422


@pytest.mark.parametrize("tag", ["", "x", '"', '"a" "b"', '"a",,"b"', "W/", '"' + "a" * 3000 + '"'])
def test_an_entity_tag_that_cannot_be_read(as_ada, begun, tag):
    answer = as_ada.patch(f"/conversations/{begun()}", {"title": "x"}, if_match=tag)
    assert (answer.status_code, answer.json()["code"]) == (400, "etag-malformed")


def test_nobody_gets_in_without_signing_in(nobody, as_ada, begun):
    path = f"/conversations/{begun()}"
    for answer in (nobody.get(path), nobody.post("/conversations", {}), nobody.raw("POST", "/conversations", b"{")):
        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-missing")
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_what_goes_wrong_inside_is_told_without_its_words(as_ada, monkeypatch, caplog):
    def fails(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("accounts.api.me.preferences", fails)
    answer = as_ada.get("/me/preferences")
    assert (answer.status_code, answer.json()["code"]) == (500, "failed")
    assert SECRET not in answer.content.decode() + caplog.text
    assert "RuntimeError" in caplog.text
