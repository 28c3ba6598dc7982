"""What answers of the API say to browsers: who may call, and that nothing is kept or run."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.authentication.conftest import WHO, trail
from tests.processes import manage
from vibe.core.db.scopes import as_support

pytestmark = pytest.mark.django_db
APP = "https://app.example.com"
PREFLIGHT = {
    "origin": APP,
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization,idempotency-key",
}


def cors(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("headers", [{"origin": APP}, {"origin": "null"}, PREFLIGHT])
def test_no_page_may_call_unless_it_is_said(ask: Any, bearer: Any, headers: dict[str, str]) -> None:
    method = "options" if headers is PREFLIGHT else "get"
    assert cors(ask(headers={**bearer("ada"), **headers}, method=method)) == {}


def test_the_pages_that_are_named_may(ask: Any, bearer: Any, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    allowed = cors(ask(headers=PREFLIGHT, method="options"))
    assert allowed["access-control-allow-origin"] == APP
    assert "authorization" in allowed["access-control-allow-headers"]
    assert "vibe-person" not in allowed["access-control-allow-headers"]  # servers have API keys, pages do not
    answer = ask(headers={**bearer("ada"), "origin": APP})
    assert (answer.status_code, cors(answer)["access-control-allow-origin"]) == (200, APP)
    assert "access-control-allow-credentials" not in cors(answer)
    assert "origin" in answer.headers["Vary"].lower()


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "https://app.example.com.evil.com", "null", APP + ":8443"]
)
def test_others_may_not(ask: Any, bearer: Any, settings: Any, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    assert cors(ask(headers={**bearer("ada"), "origin": origin})) == {}
    assert cors(ask(headers={**PREFLIGHT, "origin": origin}, method="options")) == {}


def test_a_page_can_read_why_it_was_refused(ask: Any, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    refused = ask("junk", headers={"origin": APP})
    assert (refused.status_code, cors(refused)["access-control-allow-origin"]) == (401, APP)
    assert "retry-after" in cors(refused)["access-control-expose-headers"]


def test_the_admin_is_not_opened_by_it(client: Any, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    assert cors(client.get("/admin/login/", headers={"origin": APP})) == {}


def test_an_origin_that_is_none_stops_the_start() -> None:
    wrong = manage("check", CORS_ALLOWED_ORIGINS="app.example.com")
    assert wrong.returncode != 0
    assert "CORS_ALLOWED_ORIGINS" in wrong.stderr


@pytest.mark.parametrize("path", [WHO, "/api/tests/missing", "/api/tests/export"])
@pytest.mark.parametrize("signed", [True, False])
def test_nothing_is_kept_framed_or_run(ask: Any, bearer: Any, path: str, signed: bool) -> None:
    answer = ask(headers=bearer("ada") if signed else {}, path=path)
    said = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }
    assert {name: answer.headers.get(name) for name in said} == said


def test_a_staff_session_is_no_sign_in_and_does_not_stand_in_the_trail(ask: Any, superuser: Any) -> None:
    browser = Client(raise_request_exception=False)
    with as_support():
        browser.force_login(superuser)
    assert browser.get(WHO).status_code == 401
    assert trail()[-1].actor_kind == "anonymous"
