"""The issuer's keys: kept as long as it says, asked for anew when they roll over; and what happens without them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.authentication import jwks
from accounts.authentication.errors import SignInUnavailable, TokenInvalid
from accounts.authentication.jwks import RETRY, KeySet, KeysNotHad, Published, fetch_keys, max_age
from tests.authentication.conftest import code
from tests.authentication.issuer import Answer, KeyServer, published, rsa_key, token
from tests.processes import PATIENCE

GRACE, MAX_AGE = 1000.0, 600


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(key_server: KeyServer, clock: Clock) -> KeySet:
    key_server.max_age = MAX_AGE
    return KeySet(lambda: fetch_keys(key_server.url), grace=GRACE, clock=clock)


def number(key: Any) -> int:
    return key.public_numbers().n


def test_keys_are_asked_for_once_and_kept_for_their_time(keys: KeySet, key_server: KeyServer, clock: Clock) -> None:
    for _ in range(3):
        assert number(keys.key("one")) == number(rsa_key("one").public_key())
    clock.now += MAX_AGE - 1
    keys.key("one")
    assert key_server.asked == 1
    clock.now += 2
    keys.key("one")
    assert key_server.asked == 2


def test_a_new_key_is_learnt_of_before_the_old_ones_time_is_over(
    keys: KeySet, key_server: KeyServer, clock: Clock
) -> None:
    keys.key("one")
    key_server.names = ("one", "two")
    clock.now += jwks.REFETCH
    assert number(keys.key("two")) == number(rsa_key("two").public_key())
    assert key_server.asked == 2


def test_a_key_that_is_not_published_any_more_ends(keys: KeySet, key_server: KeyServer, clock: Clock) -> None:
    keys.key("one")
    key_server.names = ("two",)
    clock.now += MAX_AGE
    with pytest.raises(TokenInvalid):
        keys.key("one")


def test_junk_does_not_make_us_call_at_its_senders_pace(keys: KeySet, key_server: KeyServer, clock: Clock) -> None:
    keys.key("one")
    for number_ in range(1000):
        with pytest.raises(TokenInvalid):
            keys.key(f"junk-{number_}")
        clock.now += 0.1
    assert key_server.asked <= 1 + 1000 * 0.1 / jwks.REFETCH + 1


def test_control_without_the_pause_it_would(
    keys: KeySet, key_server: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "REFETCH", 0.0)
    for number_ in range(20):
        with pytest.raises(TokenInvalid):
            keys.key(f"junk-{number_}")
        clock.now += 0.1
    assert key_server.asked == 20


MISBEHAVING = {
    "500": Answer(status=500),
    "404": Answer(status=404),
    "a redirect": Answer(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    "junk": Answer(b"\xff\xfe<html>"),
    "nothing": Answer(b""),
    "a list": Answer([1, 2]),
    "another object": Answer({"keys": {"one": "two"}}),
    "keys that are none": Answer({"keys": [1, None, "x"]}),
    "no keys": Answer({"keys": []}),
    "keys that do not read": Answer({"keys": [{"kty": "RSA", "kid": "one", "n": "!", "e": "AQAB"}]}),
    "keys without an id": Answer({"keys": [{**published("one")["keys"][0], "kid": 5}]}),
    "keys for encryption": Answer({"keys": [{**published("one")["keys"][0], "use": "enc"}]}),
    "keys too short": Answer(published("short")),
    "symmetric keys": Answer({"keys": [{"kty": "oct", "kid": "one", "k": "AAAA"}]}),
    "deep": Answer(b'{"keys":' + b"[" * 100_000),
    "packed": Answer(b"\x1f\x8b\x08\x00", headers={"Content-Encoding": "gzip"}),
    "too long": Answer(b" " * (jwks.MOST_BYTES + 1)),
}


@pytest.mark.parametrize("answer", MISBEHAVING.values(), ids=MISBEHAVING.keys())
def test_whatever_is_not_a_set_of_keys_changes_nothing(
    keys: KeySet, key_server: KeyServer, clock: Clock, answer: Answer
) -> None:
    key_server.answer = answer
    with pytest.raises(SignInUnavailable):
        keys.key("one")
    key_server.answer = Answer()
    clock.now += RETRY
    keys.key("one")
    key_server.answer = answer
    clock.now += MAX_AGE
    keys.key("one")
    assert key_server.asked == 3


@pytest.mark.parametrize("answer", [Answer(hang=PATIENCE), Answer(drip=0.2)], ids=["slow", "dripping"])
def test_an_issuer_that_is_slow_is_given_up_on(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(jwks, "SECONDS", 0.5)
    key_server.answer = answer
    with pytest.raises(KeysNotHad):
        fetch_keys(key_server.url)


def test_while_it_is_down_known_keys_go_on_and_then_nobody_is_let_in(
    keys: KeySet, key_server: KeyServer, clock: Clock
) -> None:
    keys.key("one")
    key_server.close()
    clock.now += MAX_AGE + GRACE - 1
    keys.key("one")
    with pytest.raises(SignInUnavailable):
        keys.key("unknown")  # it may be new: nobody can tell
    clock.now += 1
    with pytest.raises(SignInUnavailable):
        keys.key("one")


def test_it_is_asked_again_after_a_pause(keys: KeySet, key_server: KeyServer, clock: Clock) -> None:
    key_server.answer = Answer(status=500)
    for _ in range(5):
        with pytest.raises(SignInUnavailable):
            keys.key("one")
    assert key_server.asked == 1
    key_server.answer = Answer()
    clock.now += RETRY
    keys.key("one")
    assert key_server.asked == 2


@pytest.fixture
def held() -> Iterator[tuple[threading.Event, threading.Event]]:
    """(somebody is asking, let them have their answer)"""
    asking, answered = threading.Event(), threading.Event()
    yield asking, answered
    answered.set()


def test_who_has_a_key_that_will_do_does_not_wait_for_anothers_call(held: Any, clock: Clock) -> None:
    asking, answered = held
    calls: list[float] = []

    def fetch() -> Published:
        calls.append(clock.now)
        if len(calls) > 1:
            asking.set()
            answered.wait(PATIENCE)
        return Published({"one": object()}, 60)

    keys = KeySet(fetch, grace=GRACE, clock=clock)
    keys.key("one")
    clock.now += 60
    waiting = threading.Thread(target=keys.key, args=("one",), daemon=True)
    waiting.start()
    assert asking.wait(PATIENCE)
    keys.key("one")
    assert waiting.is_alive()
    answered.set()
    waiting.join(PATIENCE)
    assert len(calls) == 2


def test_many_who_come_at_once_ask_once(key_server: KeyServer, clock: Clock) -> None:
    key_server.answer = Answer(hang=0.2)
    keys = KeySet(lambda: fetch_keys(key_server.url), grace=GRACE, clock=clock)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(keys.key("one"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (len(found), key_server.asked) == (16, 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=21600, must-revalidate"}, 21_600),
        ({"cache-control": "public,max-age=21600", "age": "600"}, 21_000),
        ({"cache-control": "MAX-AGE=600", "age": "junk"}, 600),
        ({"cache-control": "s-maxage=7, max-age=600"}, 600),
        ({"cache-control": "max-age=0"}, jwks.SHORTEST),
        ({"cache-control": "max-age=999999999"}, jwks.LONGEST),
        ({"cache-control": "no-store"}, jwks.UNSAID),
        ({}, jwks.UNSAID),
    ],
    ids=str,
)
def test_how_long_they_are_kept(headers: dict[str, str], seconds: int) -> None:
    assert max_age(headers) == seconds


# From the outside


@pytest.mark.django_db
def test_through_the_api(ask: Any, firebase: Any, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    key_server.answer = Answer(status=500)
    answer = ask(token())
    assert code(answer) == (503, "sign-in-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.setattr(jwks, "RETRY", 0.0)
    key_server.answer = Answer()
    assert ask(token()).status_code == 200
    key_server.close()
    assert ask(token()).status_code == 200
