"""What a request of the API must be besides its body: over TLS, and without query parameters that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api


@pytest.fixture
def as_ada(ada: Any) -> Api:
    return Api("ada")


def test_without_tls_pages_are_redirected_and_the_rest_is_refused(client: Any, db: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert client.get("/admin/login/").status_code == 301
    for refused in (client.post("/admin/login/", {}), client.get("/api/v1/me"), client.post("/api/v1/conversations")):
        assert (refused.status_code, refused.json()["code"]) == (403, "not-encrypted")
        assert "BEHIND_TLS_PROXY" in refused.json()["detail"]
    assert client.get("/api/v1/me", headers={"x-forwarded-proto": "https"}).status_code == 401, "the control"


@pytest.mark.parametrize("path", ["/me", "/conversations", "/stories", "/me/access-log"])
def test_an_unknown_query_parameter_is_refused_by_name(as_ada: Api, path: str) -> None:
    answer = as_ada.get(f"{path}?limit_=3&a%0Ab=1")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [each["field"] for each in answer.json()["errors"]] == ["query.limit_", "query.a\\nb"]
    assert as_ada.get(path).status_code == 200, "the control"


def test_whoever_is_not_signed_in_learns_no_parameters(client: Any, db: None) -> None:
    assert client.get("/api/v1/conversations?unknown=1").status_code == 401


@pytest.mark.parametrize("number", [b"1e300", b"-1e17", b"9007199254740993.0"])
def test_a_number_that_would_come_back_as_another_is_refused(as_ada: Api, number: bytes) -> None:
    for body in (b'{"a": %s}' % number, b'{"a": [{"b": %s}]}' % number):
        answer = as_ada.raw("PATCH", "/me/preferences", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "number-too-large")
    assert as_ada.get("/me/preferences").json() == {}


def test_control_what_is_exact_comes_back(as_ada: Api) -> None:
    sent = b'{"a": 12345678901234567890, "b": -0.25, "c": 1e-300, "d": true}'
    assert as_ada.raw("PATCH", "/me/preferences", sent).status_code == 200
    assert as_ada.get("/me/preferences").json() == {"a": 12345678901234567890, "b": -0.25, "c": 1e-300, "d": True}
