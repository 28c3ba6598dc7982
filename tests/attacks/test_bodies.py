"""Attack: a body within the limit of its bytes that becomes a huge object, or an answer larger than the body.

Every operation of the API that takes a body is tried. Memory is what Python allocated at most meanwhile. A text and
what it is decoded to take up to 8 bytes a byte, a value that is let in half a kilobyte; 700,000 values took a gigabyte.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.api.bodies import ALL, WITH_BODY, Operation
from tests.api.conftest import Api, who_may
from tests.attacks.corpus import tries
from vibe.api import error_handlers
from vibe.api.decorators import limit_of
from vibe.core import strict_json
from vibe.core.http.bodies import BodyLimit
from vibe.middleware import FORM

ANSWER = 10_000  # bytes: 20 errors, each with a name of 64 characters
PER_BYTE, PER_VALUE = 8, 512
SMALL = 4_000_000  # bytes, where a test needs no more


def members(size: int) -> bytes:
    return b"{" + b",".join(b'"%x":0' % each for each in range(size // 10)) + b"}"


def nested(size: int) -> bytes:
    return b'{"a":[' + b",".join([b"[{}]"] * (size // 6)) + b"]}"


SHAPES: dict[str, Callable[[int], bytes]] = {
    "unknown members": members,
    "one name over and over": lambda size: b"{" + b",".join([b'"a":0'] * (size // 6)) + b"}",
    "empty objects": lambda size: b'{"a":[' + b",".join([b"{}"] * (size // 3)) + b"]}",
    "lists of objects": nested,
    "numbers": lambda size: b"[" + b",".join([b"0"] * (size // 2)) + b"]",
    "texts": lambda size: b"[" + b",".join([b'""'] * (size // 3)) + b"]",
    "open lists": lambda size: b"[" * size,
    "open objects": lambda size: b'{"a":' * (size // 5),
    "closed lists": lambda size: b"]" * size,
    "quotes": lambda size: b'"' * size,
    "escaped quotes": lambda size: b'"' + b'\\"' * (size // 2 - 1),
    "backslashes": lambda size: b"\\" * size,
    "spaces": lambda size: b" " * size,
    "a long name": lambda size: b'{"' + b"n" * (size - 9) + b'":0}',
    "batches of faults": lambda size: b'{"memories":[' + b",".join([b'{"a":0,"b":0}'] * (size // 15)) + b"]}",
}


@pytest.fixture(autouse=True)
def without_limits(settings: Any) -> None:
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"


@pytest.fixture
def as_ada(ada: Any) -> Api:
    api = Api("ada")
    api.get("/me")
    return api


def limit_of_operation(name: str) -> BodyLimit:
    from vibe.api.instance import api

    [operation] = [
        operation
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        if operation.view_func.__name__ == name
    ]
    return limit_of(operation)


def tried(api: Api, operation: Operation, body: bytes) -> tuple[Any, float]:
    """The answer, and bytes allocated at most, as a share of what they may be."""
    api = who_may(operation.path, api)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        answer = api.raw(operation.method, operation.path, body)
        allowed = PER_BYTE * max(len(body), 100_000) + PER_VALUE * limit_of_operation(operation.name).values
        return answer, (tracemalloc.get_traced_memory()[1] - before) / allowed
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_no_body_becomes_more_than_it_is(as_ada: Api, operation: Operation, record_property: Any) -> None:
    limit, most = limit_of_operation(operation.name), 0.0
    for name, shape in SHAPES.items():
        answer, share = tried(as_ada, operation, shape(min(limit.size, tries(SMALL, limit.size))))
        assert 400 <= answer.status_code < 500, (name, answer.content)
        assert len(answer.content) < ANSWER, name
        assert share < 1, (name, share)
        most = max(most, share)
    record_property("figure", f"{operation.name}: {most:.0%} of the memory allowed")


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_nor_do_as_many_faults_as_are_read(as_ada: Api, operation: Operation) -> None:
    """Every value that is let in is at fault: 20 are named, and it is said how many more there are."""
    limit = limit_of_operation(operation.name)
    body = members(10 * limit.values)
    answer, _ = tried(as_ada, operation, body)
    assert len(answer.content) < ANSWER or answer.status_code == 200  # preferences take any names
    if answer.status_code == 422:
        assert len(answer.json()["errors"]) == 20
        assert answer.json()["more_errors"] >= limit.values - 20
    caller = who_may(operation.path, as_ada)
    assert caller.raw(operation.method, operation.path, members(10 * limit.values + 10)).status_code == 400


def test_control_unbounded_they_are_built_and_all_faults_are_told(as_ada: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(strict_json, "check_structure", lambda *_: None)
    monkeypatch.setattr(error_handlers, "MOST_ERRORS", 10**9)
    [search] = [each for each in WITH_BODY if each.name == "search"]
    answer, share = tried(as_ada, search, members(200_000))
    assert answer.status_code == 422
    assert len(answer.content) > 5 * 200_000
    assert share > 5


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.name)
def test_a_body_beyond_its_operations_limit_is_not_read(as_ada: Api, operation: Operation) -> None:
    """Those that take none included: with an Idempotency-Key the body is part of what makes two requests the same."""
    limit = limit_of_operation(operation.name)
    body = b" " * (limit.size + 1)
    answer = who_may(operation.path, as_ada).raw(operation.method, operation.path, body, idempotency_key="k")
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_control_without_the_limit_it_is(as_ada: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(BodyLimit, "check_length", lambda *_: None)
    answer = as_ada.raw("POST", "/conversations", b" " * 200_000 + b"{}", idempotency_key="k")
    assert answer.status_code == 201


def uploaded(size: int) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    form = {"username": "x", "password": "y", "file": SimpleUploadedFile("f.bin", b"x" * size)}
    return Client(raise_request_exception=False).post("/admin/login/", form)


@pytest.fixture
def without_whitenoise(settings: Any) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.mark.usefixtures("without_whitenoise", "db")
def test_a_form_is_small_and_strangers_upload_nothing() -> None:
    assert uploaded(FORM.size).status_code == 413
    client = Client(raise_request_exception=False)
    form = b"username=" + b"x" * FORM.size
    assert client.post("/admin/login/", form, "application/x-www-form-urlencoded").status_code == 413
    fields = b"&".join(b"f%d=" % each for each in range(2_000))
    assert client.post("/admin/login/", fields, "application/x-www-form-urlencoded").status_code == 400


@pytest.mark.usefixtures("without_whitenoise", "db")
def test_control_without_the_forms_limit_they_do(settings: Any) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "FormLimit" not in name]
    assert uploaded(FORM.size).status_code == 200
