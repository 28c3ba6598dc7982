"""Fault: the database is unavailable to a request that carries cookies. What needs no session reads none and is
answered; everything else is 503, from whichever statement on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.postgresql import base
from django.http import HttpRequest, HttpResponseBase
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver, reverse
from django.utils.regex_helper import normalize
from mcp.server.mcpserver.exceptions import ToolError
from psycopg_pool import PoolTimeout

from accounts.authentication import local_tokens
from accounts.authentication.errors import CredentialsMissing
from accounts.authentication.middleware import record_refusal
from accounts.staff.session_store import NOTED_EVERY
from audit.actors import Actor, Origin
from tests.attacks.admin.stage import Cast, make
from tests.attacks.corpus import FULL
from tests.databases import empty_the_database
from tests.sessions import force_sign_in
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import page_url
from vibe.core.admin.sudo_mode import SEEN
from vibe.core.db.backend.base import ServerUnreachable
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_support
from vibe.mcp.calls import done

HOST = "/nowhere/db.internal"
NEEDS_NONE = re.compile(r"/(livez|metrics|static/.*|nothing-here|api/nothing-here|api/v1/(openapi\.json|docs))?")
SAYS_ITSELF = ("/readyz",)
READ_ONLY = {"options": "-c default_transaction_read_only=on"}


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    """Committed, since connections are lost here."""
    quick = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"], "ONE_TIME_CODES": True}
    with django_db_blocker.unblock(), override_settings(**quick):
        try:
            yield make()
        finally:
            connection.close()
            empty_the_database()


@pytest.fixture(autouse=True)
def readiness_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that /readyz remembers for a second may be of before the fault."""
    monkeypatch.setattr("vibe.serving.readiness.REMEMBERED_SECONDS", -1.0)


@pytest.fixture
def boss(cast: Cast) -> Client:
    """A browser of staff that sends every cookie it may have, and a token, which the API looks at."""
    client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {local_tokens.issue(uid='a')}"})
    force_sign_in(client, cast.staff["boss"])
    client.cookies[settings.CSRF_COOKIE_NAME] = uuid7().hex
    client.cookies["messages"] = "W10:1abcde:forged"
    return client


@pytest.fixture
def stranger(cast: Cast) -> Client:
    return Client(raise_request_exception=False)


# Every address of the site


@pytest.fixture(scope="module")
def addresses(cast: Cast) -> list[str]:
    found = {*under(cast, get_resolver()), "/nothing-here", "/static/nothing-here.css"}
    assert len(found) > 150
    return sorted(found)


def under(cast: Cast, resolver: URLResolver, prefix: str = "/") -> Iterator[str]:
    """The addresses of a resolver, with rows that are there."""
    for each in resolver.url_patterns:
        text, names = normalize(each.pattern.regex.pattern)[0]
        place = prefix + text % {name: value_of(cast, name, prefix) for name in names}
        if isinstance(each, URLResolver):
            yield from under(cast, each, place)
        else:
            yield place.replace("/api/", "/api/nothing-here") if place == "/api/" else place


def value_of(cast: Cast, name: str, prefix: str) -> Any:
    known: dict[str, Any] = {
        "user_id": cast.ada,
        "conversation_id": cast.conversation,
        "app_label": "memories",
        "url": "nothing-here",
        "name": "archive",
        "object_id": row_of(prefix),
    }
    return known.get(name, uuid7())


def row_of(prefix: str) -> Any:
    """A row of the table that the admin shows under an address."""
    for model, its in admin.site._registry.items():
        if prefix == f"/admin/{model._meta.app_label}/{model._meta.model_name}/" and isinstance(its, MetadataAdmin):
            with as_support():
                return model._default_manager.values_list("pk", flat=True).first() or uuid7()
    return uuid7()


# The database is unavailable


@contextmanager
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No server answers."""
    with configured(HOST=HOST):
        yield


@contextmanager
def exhausted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No connection of the pool came free in time."""

    def wait(*_: Any) -> None:
        raise PoolTimeout(f"couldn't get a connection to {HOST} after 1.50 sec")

    with configured(), monkeypatch.context() as patch:
        patch.setattr(base.DatabaseWrapper, "get_new_connection", wait)
        yield


@contextmanager
def recovering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server starts up, or recovers."""

    def refuse(*_: Any) -> None:
        raise psycopg.OperationalError(f"connection to {HOST} failed: FATAL:  the database system is in recovery mode")

    with configured(), monkeypatch.context() as patch:
        patch.setattr(base.DatabaseWrapper, "get_new_connection", refuse)
        yield


@contextmanager
def standing_by(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server answers that may write nothing."""
    with configured(OPTIONS={**connection.settings_dict["OPTIONS"], **READ_ONLY}):
        yield


@contextmanager
def configured(**changes: Any) -> Iterator[None]:
    """Connect anew for the block, by other settings, and again afterwards."""
    before = {name: connection.settings_dict[name] for name in changes}
    connection.close()
    connection.settings_dict.update(changes)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


FAULTS = {each.__name__: each for each in (refusing, exhausted, recovering)}


def ask(client: Client, method: str, address: str) -> HttpResponseBase:
    """As each request of the server's: what was lost before it is no matter."""
    connection.close()
    return getattr(client, method)(address)


def wrong(answer: Any, address: str) -> str:
    """What is wrong with an answer while the database is unavailable; nothing, as it should be."""
    if HOST in str(answer.content if not answer.streaming else ""):
        return "names the host"
    if NEEDS_NONE.fullmatch(address):
        return "" if answer.status_code < 500 else f"{answer.status_code}, and needs no database"
    if address in SAYS_ITSELF:
        return "" if answer.status_code in (503, 405) else str(answer.status_code)
    return "" if answer.status_code == 503 and answer.headers.get("Retry-After") else str(answer.status_code)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_with_a_session_cookie_no_address_fails(addresses, boss, monkeypatch, method, fault):
    with FAULTS[fault](monkeypatch):
        found = {each: problem for each in addresses if (problem := wrong(ask(boss, method, each), each))}
    assert found == {}


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_one_neither(addresses, stranger, monkeypatch, method):
    """What leads whoever is not signed in to the sign-in page without asking the database may do so."""
    with refusing(monkeypatch):
        found = {each: problem for each in addresses if (problem := wrong(ask(stranger, method, each), each))}
    assert found in ({}, {reverse("admin:jsi18n"): "302"})


@pytest.mark.parametrize("method", ["get", "post"])
def test_on_a_server_that_may_not_write_either(addresses, boss, monkeypatch, method):
    with standing_by(monkeypatch):
        statuses = {each: ask(boss, method, each).status_code for each in addresses}
    assert {each: status for each, status in statuses.items() if status >= 500 and status != 503} == {}
    assert len([status for status in statuses.values() if status == 503]) > 100


def test_with_debug_off_neither(addresses, boss, monkeypatch):
    """Django's own answers to errors are others then."""
    with override_settings(DEBUG=False), refusing(monkeypatch):
        found = {each: problem for each in addresses if (problem := wrong(ask(boss, "get", each), each))}
    assert found == {}


def test_the_database_there_nothing_that_needs_no_session_reads_one(addresses, boss):
    free = [each for each in addresses if NEEDS_NONE.fullmatch(each) or each.startswith("/api/")] + ["/readyz"]
    for client in (boss, refused_by_the_api(boss)):
        for each in free:
            with CaptureQueriesContext(connection) as sent:
                client.get(each)
            assert not [one["sql"] for one in sent.captured_queries if "django_session" in one["sql"]], each
    with CaptureQueriesContext(connection) as sent:
        boss.get("/admin/")
    assert any("django_session" in one["sql"] for one in sent.captured_queries), "the control: a page of staff does"


def refused_by_the_api(client: Client) -> Client:
    """The same browser without a token."""
    other = Client(raise_request_exception=False)
    other.cookies = client.cookies
    return other


# What is no page: refusals by the limit, and MCP


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refusal_that_cannot_be_recorded_is_503(cast, monkeypatch, fault):
    actor = Actor.anonymous(Origin())
    with FAULTS[fault](monkeypatch):
        answer = record_refusal(CredentialsMissing(), actor=actor, action="mcp", resource="mcp")
    assert (answer.status_code, bool(answer.headers["Retry-After"])) == (503, True)
    assert HOST not in answer.content.decode()
    assert record_refusal(CredentialsMissing(), actor=actor, action="mcp", resource="mcp").status_code == 401, (
        "the control"
    )


@pytest.mark.parametrize("problem", [ServerUnreachable(HOST), OperationalError(HOST), InterfaceError(HOST)])
def test_a_tool_says_that_the_database_is_unavailable_and_not_which(problem):
    def fail() -> Any:
        raise problem

    with pytest.raises(ToolError) as caught:
        done(fail, "search", "read", fail)
    assert "(busy)" in str(caught.value)
    assert HOST not in str(caught.value)


# The connection is lost


class Lost:
    """Ends the connection of the requests at a statement of theirs."""

    killer: Any = None  # a connection of its own

    def __init__(self, at: int, *, for_good: bool = False) -> None:
        self.at, self.for_good, self.seen = at, for_good, 0

    def __enter__(self) -> Lost:
        connection.close()
        self.host = connection.settings_dict["HOST"]
        self.execute = execute = psycopg.Cursor.execute

        def counted(cursor: Any, *given: Any, **how: Any) -> Any:
            if cursor.connection is not self.killer.connection:
                self.seen += 1
                if self.seen == self.at:
                    self.end(cursor.connection.info.backend_pid)
            return execute(cursor, *given, **how)

        psycopg.Cursor.execute = counted  # type: ignore[method-assign]
        return self

    def end(self, process: int) -> None:
        self.killer.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        if self.for_good:
            connection.settings_dict["HOST"] = HOST

    def __exit__(self, *_: Any) -> None:
        psycopg.Cursor.execute = self.execute  # type: ignore[method-assign]
        connection.settings_dict["HOST"] = self.host
        connection.close()

    @property
    def struck(self) -> bool:
        return self.seen >= self.at


def lost_everywhere(work: Callable[[], Any], address: str, *, for_good: bool) -> list[str]:
    """What is wrong with the answers, the connection lost at each statement in turn."""
    found: list[str] = []
    for at in range(1, 100):
        with Lost(at, for_good=for_good) as lost:
            answer = work()
        if not lost.struck:
            return found
        if answer.status_code != 405 and (problem := wrong(answer, address)):
            found.append(f"at statement {at}: {problem}")
    raise AssertionError("there is an end of statements")


def a_minute_ago(client: Client) -> None:
    """The next page also notes that the session is in use."""
    session = client.session
    session[SEEN] -= NOTED_EVERY
    session.save()


@pytest.fixture(autouse=True, scope="module")
def killer(cast: Cast) -> Iterator[None]:
    Lost.killer = connection.copy()
    Lost.killer.ensure_connection()
    yield
    Lost.killer.close()


pooled = pytest.mark.skipif(settings.DATABASE_POOLER, reason="the connection to end is the pooler's")


@pooled
@pytest.mark.parametrize("for_good", [False, True], ids=["for once", "for good"])
def test_at_whichever_statement_the_connection_is_lost(addresses, boss, for_good):
    def get(address: str) -> Any:
        return lambda: boss.get(address)

    some = addresses if FULL else addresses[for_good :: len(addresses) // 30]
    # The first two say it themselves; that there is nothing at the last is right, whatever was lost meanwhile.
    walked = [each for each in some if each not in ("/readyz", "/metrics", "/api/v1/")]
    found = {each: problems for each in walked if (problems := lost_everywhere(get(each), each, for_good=for_good))}
    assert found == {}


CHANGES: dict[str, Callable[[Cast], tuple[str, dict[str, Any]]]] = {
    "sign in": lambda _: (reverse("admin:login"), {"username": "other@x.org", "password": "p"}),
    "sign out": lambda _: (reverse("admin:logout"), {}),
    "change": lambda cast: (page_url(type(cast.staff["auditor"]), cast.ada).replace("change/", "do/sign-out/"), {}),
    "password": lambda _: (reverse("admin:password_change"), {"old_password": "x"}),
}


@pooled
@pytest.mark.parametrize("change", CHANGES)
def test_at_whichever_statement_of_a_change(cast, boss, change):
    address, form = CHANGES[change](cast)

    def post() -> Any:
        client = Client(raise_request_exception=False)
        client.cookies[settings.SESSION_COOKIE_NAME] = boss.cookies[settings.SESSION_COOKIE_NAME].value
        return client.post(address, form)

    assert lost_everywhere(post, address, for_good=False) == []


@pooled
def test_while_the_session_is_saved(boss):
    """The last statement of a page, outside of its transaction."""
    with Lost(10_000) as counted:
        boss.get("/admin/")
    a_minute_ago(boss)
    with Lost(counted.seen + 1) as lost:
        answer = boss.get("/admin/")
    assert lost.struck
    assert wrong(answer, "/admin/") == ""


# Controls


class Eager:
    """Reads the session of every request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.session.get("anything")
        return self.get_response(request)


def test_control_read_for_every_request_a_session_fails_the_probes(boss, monkeypatch):
    names = list(settings.MIDDLEWARE)
    names.insert(names.index("accounts.middleware.StaffSessions") + 1, f"{__name__}.Eager")
    with override_settings(MIDDLEWARE=names), refusing(monkeypatch):
        assert boss.get("/livez").status_code == 500
        assert boss.get("/admin/").status_code == 500


@pooled
def test_control_without_knowing_the_error_a_page_fails(boss, monkeypatch):
    monkeypatch.setattr("audit.middleware.is_unavailable", lambda _: False)
    address = reverse("admin:memories_conversation_changelist")
    found = lost_everywhere(lambda: boss.get(address), address, for_good=False)
    assert any(each.endswith(": 500") for each in found)


@pooled
def test_control_with_django_s_own_middleware_saving_fails(boss, monkeypatch):
    own = "django.contrib.sessions.middleware.SessionMiddleware"
    names = [own if name == "accounts.middleware.StaffSessions" else name for name in settings.MIDDLEWARE]
    with override_settings(MIDDLEWARE=names):
        with Lost(10_000) as counted:
            boss.get("/admin/")
        a_minute_ago(boss)
        with Lost(counted.seen + 1):
            assert boss.get("/admin/").status_code == 500


def test_control_limits_are_those_of_our_store(boss, monkeypatch):
    """What is read late is limited all the same: with Django's own store a session that has run out goes on."""
    session = boss.session
    kept = session[SEEN]
    session[SEEN] = 1
    session.save()
    with monkeypatch.context() as patch:
        patch.setattr("accounts.staff.session_store.SessionStore.load", DatabaseStore.load)
        assert boss.get("/admin/").status_code == 200
    assert boss.get("/admin/").status_code == 302
    assert kept > 1
