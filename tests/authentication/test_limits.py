"""Limits: a bucket each, exact under concurrency; what they count and what they answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.api_keys import services as api_keys
from accounts.authentication import middleware, rate_limit_store
from accounts.authentication.rate_limit_store import forget_full, take
from accounts.models import RateLimit
from audit.actors import Origin
from audit.client import ClientAddress
from tests.authentication.conftest import code, trail
from tests.cast import TESTER
from vibe.core.db.scopes import as_sign_in, as_user
from vibe.core.errors import ConfigurationError
from vibe.core.http.rate_limits import Rate, RateLimitResult, cost_of_body

SLOW = Rate(per_minute=1, burst=5)  # within a test nothing flows back
QUICK = Rate(per_minute=60 * 20, burst=5)  # one every 50 ms


def taken(name: str, rate: Rate, times: int) -> list[bool]:
    return [take(name, rate).allowed for _ in range(times)]


# Buckets


def test_as_many_at_once_as_the_bucket_holds_and_no_more(db: None) -> None:
    assert taken("ada", SLOW, 8) == [True] * 5 + [False] * 3


def test_each_has_a_bucket_of_their_own(db: None) -> None:
    assert taken("ada", SLOW, 6)[-1] is False
    assert taken("jonas", SLOW, 5) == [True] * 5


def test_it_fills_at_its_rate_and_never_beyond_the_brim(db: None) -> None:
    began = time.monotonic()
    allowed = sum(taken("ada", QUICK, 8))
    assert 5 <= allowed <= 6 + (time.monotonic() - began) / QUICK.step
    time.sleep(2 * QUICK.step + 0.01)
    assert taken("ada", QUICK, 3)[:2] == [True, True]
    time.sleep(QUICK.span * 2)
    began = time.monotonic()
    allowed = sum(taken("ada", QUICK, 10))
    assert 5 <= allowed <= 6 + (time.monotonic() - began) / QUICK.step  # some flows back meanwhile


def test_who_keeps_asking_is_let_in_as_soon_as_who_waits(db: None) -> None:
    taken("ada", QUICK, 5)
    began, allowed = time.monotonic(), 0
    while time.monotonic() < began + 10 * QUICK.step:
        allowed += take("ada", QUICK).allowed
    assert 1 <= allowed <= 1 + (time.monotonic() - began) / QUICK.step


def test_what_is_said_of_it(db: None) -> None:
    first = take("ada", SLOW)
    assert (first.remaining, first.refused) == (4, 0)
    assert 59 < first.until_full <= 60
    assert first.headers == {"RateLimit-Policy": '"requests";q=5;w=300', "RateLimit": '"requests";r=4;t=60'}
    taken("ada", SLOW, 4)
    refusals = [take("ada", SLOW) for _ in range(3)]
    assert [each.refused for each in refusals] == [1, 2, 3]
    assert [each.remaining for each in refusals] == [0, 0, 0]
    assert all(55 <= each.retry_after <= 60 for each in refusals)


def test_after_the_time_said_one_is_let_in() -> None:
    rate = Rate(60, 1)
    assert RateLimitResult(rate, until_full=1.0, refused=1).retry_after == 1
    assert RateLimitResult(rate, until_full=0.2, refused=1).retry_after == 1
    assert RateLimitResult(Rate(6, 2), until_full=20.0, refused=1).retry_after == 10


def test_a_large_body_counts_for_as_many_small_requests(db: None) -> None:
    assert [cost_of_body(each) for each in ("0", "65535", "65536", "4194304")] == [1, 1, 2, 65]
    assert [cost_of_body(each) for each in ("", "x", "-1", "1e9", "\u00b2")] == [1] * 5
    assert cost_of_body("9" * 5_000) > 1
    assert take("ada", SLOW, 3).remaining == 2
    refused = take("ada", SLOW, 3)
    assert (refused.allowed, refused.remaining) == (False, 2)
    assert 50 <= refused.retry_after <= 60
    assert taken("ada", SLOW, 3) == [True, True, False]


def test_no_body_counts_for_more_than_may_come_at_once(db: None) -> None:
    """Or it would never be let in."""
    assert take("ada", SLOW, 1000).allowed
    assert not take("ada", SLOW).allowed


def test_the_api_counts_the_bytes_of_a_body(client: Any, person: Any, bearer: Any, settings: Any) -> None:
    settings.API_LIMIT_PERSON = "1/20"
    client.get("/api/v1/me", headers=bearer("ada"))
    for size, left in ((10, 18), (70_000, 16), (500_000, 8)):
        body = b"{" + b" " * size + b"}"
        answer = client.patch("/api/v1/me/preferences", body, "application/json", headers=bearer("ada"))
        assert f"r={left};" in answer.headers["RateLimit"]


def test_a_refusal_after_some_that_were_allowed_is_a_first_one_again(db: None) -> None:
    taken("ada", QUICK, 8)
    time.sleep(QUICK.step + 0.01)
    assert take("ada", QUICK).allowed
    assert take("ada", QUICK).refused <= 1


@pytest.mark.usefixtures("committed")
def test_many_at_once_are_counted_one_by_one() -> None:
    rate = Rate(1, 50)
    take("warm", rate)

    def ask(_: int) -> int:
        try:
            return sum(taken("ada", rate, 20))
        finally:
            connections.close_all()

    assert take("ada", rate).allowed
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 49


@pytest.mark.django_db
def test_counting_is_one_round_trip_and_is_not_logged() -> None:
    """Every request pays for it."""
    with CaptureQueriesContext(connection) as first, as_sign_in("ada"):
        take("ada", SLOW)
    assert len([each for each in first if "rate_limits" in each["sql"]]) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'rate_limits'")
        assert cursor.fetchone() == ("u",)


@pytest.mark.django_db
def test_counting_leaves_the_role_as_it_was() -> None:
    take("ada", SLOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user = session_user")
        assert cursor.fetchone() == (True,)


@pytest.mark.django_db
def test_full_buckets_are_forgotten_and_others_kept() -> None:
    take("full", Rate(60_000, 1))
    take("not full", SLOW)
    time.sleep(0.01)
    assert forget_full() >= 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rate_limits SET full_at = full_at - interval '1 hour' WHERE name = 'full'")
    forget_full()
    assert list(RateLimit.objects.values_list("name", flat=True)) == ["not full"]


@pytest.mark.django_db
def test_a_person_cannot_touch_the_buckets(ada: UUID) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), as_user(ada):
        RateLimit.objects.exists()


# Settings


def test_a_limit_is_read_from_text() -> None:
    assert Rate.parse("X", "600/100") == Rate(600, 100)
    assert Rate.parse("X", " 600 / 100 ") == Rate(600, 100)
    assert Rate.parse("X", "off") is None
    for wrong in ("", "600", "600/", "/5", "0/5", "5/0", "-1/5", "a/b", "5/5/5", "1.5/2", "٣/٣x"):
        with pytest.raises(ConfigurationError, match="API_LIMIT_X"):
            Rate.parse("API_LIMIT_X", wrong)


# Over the API


@pytest.fixture
def limited(settings: Any) -> Callable[..., None]:
    """limited(person=2, key=3, stranger=4): requests at once, and one a minute more."""

    def limited(**bursts: int) -> None:
        for name in ("PERSON", "KEY", "STRANGER"):
            burst = bursts.get(name.lower())
            setattr(settings, f"API_LIMIT_{name}", f"1/{burst}" if burst else "off")

    return limited


@pytest.mark.django_db
def test_who_asks_too_often_is_told_when_to_come_again(ask: Any, bearer: Any, limited: Any) -> None:
    limited(person=2)
    headers = bearer("ada")
    answers = [ask(headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]
    assert code(answers[2]) == (429, "too-many-requests")
    assert 50 <= int(answers[2].headers["Retry-After"]) <= 60
    assert answers[2].headers["X-Request-ID"] == answers[2].json()["request_id"]
    assert ask(headers=bearer("jonas")).status_code == 200


@pytest.mark.django_db
def test_control_without_a_limit_nobody_is(ask: Any, bearer: Any, limited: Any) -> None:
    limited()
    answers = [ask(headers=bearer("ada")) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers


@pytest.mark.django_db
def test_refused_requests_count_too(ask: Any, bearer: Any, limited: Any) -> None:
    limited(person=2)
    headers = bearer("ada")
    paths = ["/api/tests/missing", "/api/tests/missing", "/api/tests/who"]
    assert [ask(headers=headers, path=path).status_code for path in paths] == [404, 404, 429]


@pytest.mark.django_db
def test_control_counted_inside_the_request_they_would_not(
    ask: Any, bearer: Any, limited: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the gate stands before the trail's middleware: an answer of 400 or more undoes what the request did."""
    limited(person=2)
    monkeypatch.setattr("audit.middleware.API", "")  # the transaction begins with the request, as everywhere else
    ours, trails = "accounts.authentication.middleware.AuthenticationMiddleware", "audit.middleware.AuditMiddleware"
    settings.MIDDLEWARE = [*(name for name in settings.MIDDLEWARE if name not in (ours, trails)), trails, ours]
    answers = [ask(headers=bearer("ada"), path="/api/tests/missing") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.django_db
def test_strangers_count_by_address(ask: Any, limited: Any, bearer: Any, settings: Any) -> None:
    limited(stranger=3)
    settings.TRUSTED_PROXIES = ""
    sent = [{}, {"authorization": "Bearer junk"}, {"authorization": "Bearer vibe_junk"}, {}]
    assert [ask(headers=headers).status_code for headers in sent] == [401, 401, 401, 429]
    assert ask(headers={"x-forwarded-for": "203.0.113.9"}).status_code == 429
    assert ask(REMOTE_ADDR="203.0.113.9").status_code == 401
    assert ask(headers=bearer("ada")).status_code == 200  # of the same address, and known


@pytest.mark.django_db
def test_behind_a_proxy_it_is_the_address_before_it(ask: Any, limited: Any, settings: Any) -> None:
    limited(stranger=1)
    settings.TRUSTED_PROXIES = "127.0.0.1"
    codes = [
        ask(headers={"x-forwarded-for": forwarded}).status_code
        for forwarded in ("198.51.100.1", "198.51.100.2", "198.51.100.1", "9.9.9.9, 198.51.100.2")
    ]
    assert codes == [401, 401, 429, 429]


@pytest.mark.parametrize(
    ("ip", "network"),
    [("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("198.51.100.1", "198.51.100.1"), (None, "unknown")],
)
def test_an_ipv6_network_counts_as_one(ip: str | None, network: str) -> None:
    address = ClientAddress(ip=ip, peer="", forwarded_for="", forwarded="") if ip else None
    assert middleware.network_of(Origin(address=address)) == network


@pytest.mark.django_db
def test_a_key_has_its_own_allowance(ask: Any, limited: Any, bearer: Any, ada: UUID) -> None:
    limited(person=1, key=2)
    made = [
        api_keys.make_api_key(name="n", scopes={"read"}, lasts=timedelta(days=1), actor=TESTER, person=ada)[1]
        for _ in range(2)
    ]
    assert [ask(made[0]).status_code for _ in range(3)] == [200, 200, 429]
    assert ask(made[1]).status_code == 200
    assert ask(headers=bearer("ada")).status_code == 200


@pytest.mark.django_db
def test_only_the_first_of_a_row_of_refusals_is_recorded(ask: Any, limited: Any, bearer: Any) -> None:
    limited(person=1, stranger=1)
    headers = bearer("ada")
    user_id = ask(headers=headers).json()["id"]
    for _ in range(10):
        ask(headers=headers)
        ask()
    rows = trail(action="limit")
    assert [(row.actor_kind, row.actor, row.outcome, row.reason) for row in rows] == [
        ("person", user_id, "refused", "too-many-requests"),
        ("anonymous", "", "refused", "too-many-requests"),
    ]
    assert [str(row.subject) for row in rows] == [user_id, "None"]


@pytest.mark.django_db
def test_when_nothing_can_be_counted_nobody_is_let_in(ask: Any, bearer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> RateLimitResult:
        raise DatabaseError("gone")

    monkeypatch.setattr(rate_limit_store, "take", fail)
    assert code(ask(headers=bearer("ada"))) == (503, "sign-in-unavailable")


@pytest.mark.django_db
def test_pages_of_the_admin_are_not_counted(client: Any, limited: Any) -> None:
    limited(stranger=1)
    assert [client.get("/admin/login/").status_code for _ in range(3)] == [200] * 3
    assert not RateLimit.objects.exists()
