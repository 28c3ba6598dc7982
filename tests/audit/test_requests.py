"""What a request leaves in the trail, and that nothing leaves the process without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from audit.actors import Actor, Origin
from audit.client import trusted_proxies
from audit.context import AuditContext
from audit.errors import NetworkListInvalid
from audit.middleware import no_personal_data
from audit.models import AuditLog
from audit.services import record
from tests.protections import unprotected
from vibe.core.db.scopes import as_system
from vibe.core.errors import ConfigurationError, Refused
from vibe.core.http.context import RequestContext, context_of, set_context

SECRET = "what nobody may read unrecorded"


def read(_: HttpRequest) -> HttpResponse:
    return HttpResponse(SECRET)


@no_personal_data
def plain(_: HttpRequest) -> HttpResponse:
    return HttpResponse("nothing of anybody")


def change(status: int) -> Any:
    def view(_: HttpRequest) -> HttpResponse:
        record(actor=Actor.system("tests"), action="undone")
        return HttpResponse("no", status=status)

    return view


def refuse(_: HttpRequest) -> HttpResponse:
    record(actor=Actor.system("tests"), action="undone")
    raise Refused()


def crash(_: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


def give_up(_: HttpRequest) -> HttpResponse:
    transaction.set_rollback(True)
    return HttpResponse(SECRET)


def stream(_: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        assert len(rows()) == 1, "the row is there before the first byte"
        yield SECRET

    return StreamingHttpResponse(parts())


urlpatterns = [
    *(path(name, view, name=name) for name, view in {"read": read, "plain": plain, "crash": crash}.items()),
    *(path(f"answer-{status}", change(status), name=f"answer-{status}") for status in (302, 404, 403, 500)),
    *(path(name, view, name=name) for name, view in {"refuse": refuse, "stream": stream, "give-up": give_up}.items()),
]


def rows() -> list[AuditLog]:
    with as_system():
        return list(AuditLog.objects.exclude(action="person.create").order_by("xact", "id"))


@pytest.fixture
def web(db: None, settings: Any, tmp_path: Any) -> Client:
    settings.ROOT_URLCONF, settings.STATIC_ROOT = "tests.audit.test_requests", tmp_path
    return Client(raise_request_exception=False)


def test_a_request_leaves_one_row_with_who_where_and_how(web: Client, settings: Any) -> None:
    settings.TRUSTED_PROXIES = ""
    answer = web.get("/read?q=private", headers={"user-agent": "curl/8.5", "x-forwarded-for": "198.51.100.9"})
    (row,) = rows()
    assert (row.actor_kind, row.action, row.resource, row.outcome) == ("anonymous", "read", "/read", "ok")
    assert (row.ip, row.user_agent, row.request_id) == ("127.0.0.1", "curl/8.5", answer["X-Request-ID"])
    assert row.details == {"peer": "127.0.0.1", "forwarded_for": "198.51.100.9"}


@pytest.mark.parametrize("method", ["get", "head", "post", "options", "delete"])
def test_every_method_leaves_a_row(web: Client, method: str) -> None:
    getattr(web, method)("/read")
    assert [row.action for row in rows()] == ["read" if method in ("get", "head") else f"{method.upper()} read"]


def test_a_view_marked_so_leaves_none_but_has_a_request_id(web: Client) -> None:
    assert web.get("/plain")["X-Request-ID"]
    assert rows() == []


@pytest.mark.parametrize(("status", "outcome"), [(302, "ok"), (404, "refused"), (403, "refused"), (500, "failed")])
def test_what_failed_is_undone_and_recorded(web: Client, status: int, outcome: str) -> None:
    assert web.get(f"/answer-{status}").status_code == status
    kept = ["undone", f"answer-{status}"] if status < 400 else [f"answer-{status}"]
    assert [(row.action, row.outcome) for row in rows()][-1] == (f"answer-{status}", outcome)
    assert [row.action for row in rows()] == kept


def test_an_error_of_ours_becomes_its_answer_and_a_crash_shows_nothing(web: Client) -> None:
    refused, crashed = web.get("/refuse"), web.get("/crash")
    assert (refused.status_code, crashed.status_code) == (403, 500)
    assert SECRET not in crashed.content.decode()
    assert [(row.action, row.outcome) for row in rows()] == [("refuse", "refused"), ("crash", "failed")]


def test_a_streamed_answer_starts_after_its_row(web: Client) -> None:
    assert web.get("/stream").getvalue().decode() == SECRET  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["/read", "/answer-404", "/crash"])
def test_when_the_row_cannot_be_written_there_is_no_answer(web: Client, address: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON audit_logs FROM vibe_system")
    answer = web.get(address)
    assert (answer.status_code, SECRET in answer.content.decode()) == (503, False)
    assert "audit trail cannot be written" in answer.content.decode()


def test_control_with_the_right_to_write_there_is_an_answer(web: Client) -> None:
    assert web.get("/read").content.decode() == SECRET


def test_when_the_commit_fails_there_is_no_answer(web: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$x$$; END'")
        cursor.execute("CREATE TRIGGER fail BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION fail()")
    answer = web.get("/read")
    assert (answer.status_code, SECRET in answer.content.decode()) == (503, False)


def test_a_transaction_that_is_given_up_gives_no_answer(web: Client) -> None:
    answer = web.get("/give-up")
    assert (answer.status_code, SECRET in answer.content.decode()) == (503, False)


@pytest.fixture
def live(committed: None, settings: Any, tmp_path: Any) -> Client:
    """The same with transactions that are ended by COMMIT."""
    settings.ROOT_URLCONF, settings.STATIC_ROOT = "tests.audit.test_requests", tmp_path
    return Client(raise_request_exception=False)


def test_the_row_goes_with_the_commit_in_one_round_trip(live: Client) -> None:
    """docs/audit.md says so: a request that asks nothing itself is one round trip."""
    with CaptureQueriesContext(connection) as seen:
        assert live.get("/read").content.decode() == SECRET
    assert len(seen) == 1
    assert [row.action for row in rows()] == ["read"]
    with transaction.atomic():
        assert connection.closing is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["/read", "/answer-302", "/give-up"])
def test_when_the_row_cannot_go_with_the_commit_there_is_no_answer_and_nothing_is_kept(
    live: Client, address: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON audit_logs FROM vibe_system")
    try:
        answer = live.get(address)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("GRANT INSERT ON audit_logs TO vibe_system")
    assert (answer.status_code, SECRET in answer.content.decode()) == (503, False)
    assert rows() == []
    assert live.get("/read").content.decode() == SECRET, "the control: with the right there is an answer"
    assert [row.action for row in rows()] == ["read"]


def test_the_row_costs_one_round_trip(web: Client) -> None:
    """The savepoint that the test's own transaction makes of a request's, and its release, come on top."""
    with CaptureQueriesContext(connection) as audited:
        web.get("/read")
    with CaptureQueriesContext(connection) as unaudited:
        web.get("/plain")
    assert (len(audited), len(unaudited)) == (1 + 2, 0)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x" * 1_000_000, "x" * 512),
        ("curl\x00\x1b[31m\r\n8.5", "curl[31m8.5"),
        ("\xff\xfe agent", "\ufffd\ufffd agent"),
        ("G\xc3\xb6del", "G\u00f6del"),
        ("", ""),
    ],
    ids=["1 MB", "control", "no UTF-8", "UTF-8 as WSGI gives it", "empty"],
)
def test_a_user_agent_is_kept_clean_and_short(web: Client, sent: str, kept: str) -> None:
    assert web.get("/read", headers={"user-agent": sent}).status_code == 200
    assert [row.user_agent for row in rows()] == [kept]


def test_an_address_that_is_none_and_a_path_with_a_zero_byte(web: Client) -> None:
    assert web.get("/read", REMOTE_ADDR="unix:\x00").status_code == 200
    assert [row.ip for row in rows()] == [None]
    record(actor=Actor.system("tests"), action="x", resource="/a\x00b" * 400)
    assert rows()[-1].resource == "/ab" * 125


def test_behind_a_unix_socket_the_client_keeps_its_address_where_that_is_trusted(web: Client, settings: Any) -> None:
    claim = {"x-forwarded-for": "198.51.100.9"}
    for proxies in ("unix", "10.0.0.0/8, unix", "10.0.0.0/8", ""):  # the last two are the control
        settings.TRUSTED_PROXIES = proxies
        assert web.get("/read", headers=claim, REMOTE_ADDR="").status_code == 200
    settings.TRUSTED_PROXIES = "unix"
    web.get("/read", headers=claim, REMOTE_ADDR="192.0.2.7")
    assert [row.ip for row in rows()] == ["198.51.100.9", "198.51.100.9", None, None, "192.0.2.7"]
    settings.TRUSTED_PROXIES = "unix, unix:, 10.0.0.0/8"
    with pytest.raises(NetworkListInvalid, match="TRUSTED_PROXIES: Entry 2"):
        trusted_proxies()


def test_the_header_that_proxies_write_can_be_named(web: Client, settings: Any) -> None:
    settings.TRUSTED_PROXIES = "127.0.0.1"
    both = {"x-forwarded-for": "198.51.100.9", "forwarded": "for=203.0.113.4"}
    for named in ("", "X-Forwarded-For", "Forwarded"):
        settings.TRUSTED_PROXY_HEADER = named
        web.get("/read", headers=both)
    assert [row.ip for row in rows()] == ["127.0.0.1", "198.51.100.9", "203.0.113.4"]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_logs SET reason = ''", "DELETE FROM audit_logs", "TRUNCATE audit_logs"]
)
def test_nobody_changes_the_trail(db: None, statement: str) -> None:
    from django.db import DatabaseError

    record(actor=Actor.system("tests"), action="x")
    refused = pytest.raises(DatabaseError, match="append-only")
    with unprotected("audit_logs") as cursor, refused, transaction.atomic():  # or the owner would meet no row
        cursor.execute(statement)
    for role in ("vibe_user", "vibe_support", "vibe_staff", "vibe_sign_in", "vibe_system"):
        denied = pytest.raises(DatabaseError, match="permission denied")
        with denied, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {role}; {statement}")


def test_without_the_middleware_that_sets_it_a_context_is_missed_aloud() -> None:
    request = HttpRequest()
    with pytest.raises(ConfigurationError, match="Observed"):
        context_of(request, AuditContext)
    set_context(request, RequestContext())
    with pytest.raises(ConfigurationError):  # it does not say where the request is from
        context_of(request, AuditContext)
    set_context(request, AuditContext(origin=Origin()))
    assert context_of(request, RequestContext).entry.action == ""
    with pytest.raises(ConfigurationError, match="AuditMiddleware"):
        context_of(request, AuditContext).begin()
