"""A service that refuses, delays, drips, breaks off or points elsewhere. Nothing is waited for beyond the deadline."""

from __future__ import annotations

import gzip
import json
import pickle
import socket
import time
from datetime import timedelta
from email.utils import format_datetime

import httpx2
import pytest
from django.utils import timezone

from stories.processors.configured import EmbedderFailed, embed
from stories.processors.errors import ProcessingFailed
from stories.processors.openai_compatible import client
from stories.processors.openai_compatible.client import seconds_of
from stories.processors.openai_compatible.errors import (
    AccessRefused,
    BadAnswer,
    ProviderBusy,
    ProviderRefused,
    ProviderSlow,
    ProviderUnreachable,
    TokensSpent,
)
from tests.processes import PATIENCE as FOR_EVER
from tests.stories.openai.fake_service import SAID, STORY, FakeService, Reply, story_answer

ERROR = {"error": {"message": "no", "type": "t", "code": None}}


def failing(processor, error, **values) -> Exception:
    """What composing raises."""
    teller = processor(**values)
    with pytest.raises(error) as failed:
        teller.compose(SAID)
    return failed.value


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_busy_service_is_asked_again(processor, service, status):
    service.script = [Reply(ERROR, status), Reply(b"<html>", status)]
    assert processor().compose(SAID).title == STORY["title"]
    assert len(service.requests) == 3


def test_retry_after_is_kept_to(processor, service, clock):
    service.script = [Reply(ERROR, 429, {"Retry-After": "7"})]
    processor().compose(SAID)
    assert clock.waits == [7.0]


def test_a_retry_after_beyond_the_deadline_fails_at_once(processor, service, clock):
    service.always = Reply(ERROR, 429, {"Retry-After": "3600"})
    assert "429" in str(failing(processor, ProviderBusy))
    assert not clock.waits
    assert len(service.requests) == 1


def test_a_service_that_stays_busy_is_given_up_at_the_deadline(processor, service, clock):
    service.always = Reply(ERROR, 503)
    failing(processor, ProviderBusy, deadline=1.0)
    assert clock.now < 1.0
    assert 3 <= len(service.requests) <= 12


def test_waits_grow_and_differ(processor, service, clock, monkeypatch):
    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0.5)
    service.script = [Reply(ERROR, 500) for _ in range(5)]
    processor(deadline=60.0).compose(SAID)
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(clock.waits))
    assert len({wait / 2**n for n, wait in enumerate(clock.waits)}) == 5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("1.5", 1.5), ("-3", 0), ("soon", 0), ("", 0), ("nan", 0), ("inf", 0), ("9" * 400, 0)],
)
def test_retry_after_in_seconds(value, seconds):
    assert seconds_of(value) == seconds


def test_retry_after_as_a_date():
    assert 28 < seconds_of(format_datetime(timezone.now() + timedelta(seconds=30), usegmt=True)) <= 30
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_a_refusal_is_not_asked_again(processor, service, status):
    service.always = Reply(ERROR, status)
    problem = failing(processor, ProviderRefused)
    assert f"answers {status}. " in str(problem)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_what_people_said_does_not_follow_a_redirect(processor, service, status):
    elsewhere = FakeService()
    try:
        service.always = Reply(ERROR, status, {"Location": f"{elsewhere.url}/chat/completions"})
        failing(processor, ProviderRefused)
        assert not elsewhere.requests
    finally:
        elsewhere.close()


def test_the_redirect_would_have_been_followed(processor, service):
    """The control: with redirects allowed, the other one gets it all."""
    elsewhere = FakeService()
    try:
        service.always = Reply(ERROR, 307, {"Location": f"{elsewhere.url}/chat/completions"})
        teller = processor()
        teller.client.openai._client.follow_redirects = True
        teller.compose(SAID)
        assert elsewhere.requests
    finally:
        elsewhere.close()


def test_a_silent_service_is_too_slow(processor, service):
    service.always = Reply(hang=FOR_EVER)
    failing(processor, ProviderSlow, timeout=0.2, deadline=0.5)


def test_a_dripping_service_is_too_slow(processor, service):
    service.always = Reply(drip=0.05)
    failing(processor, ProviderSlow, timeout=0.3, deadline=0.4)


def test_a_dripping_error_is_too_slow(processor, service):
    service.always = Reply(ERROR, 400, drip=0.05)
    failing(processor, ProviderSlow, timeout=0.3, deadline=0.4)


def test_dripping_would_have_gone_on(processor, service, monkeypatch):
    """The control: each byte comes in time, so the client's own timeout is never reached."""
    monkeypatch.setattr(client.BoundedTransport, "handle_request", lambda self, asked: self.inner.handle_request(asked))
    service.always = Reply(drip=0.001)
    began = time.monotonic()
    processor(timeout=0.3, deadline=0.4).compose(SAID)
    assert time.monotonic() - began > 0.5


def test_a_slow_answer_is_asked_for_anew(processor, service):
    service.script = [Reply(hang=FOR_EVER)]
    assert processor(timeout=1.0).compose(SAID).title == STORY["title"]


def test_a_connection_that_breaks_is_tried_again(processor, service):
    service.script = [Reply(cut=True)]
    assert processor().compose(SAID).title == STORY["title"]
    service.always = Reply(cut=True)
    failing(processor, ProviderUnreachable, deadline=0.5)


def test_a_service_that_is_not_there(processor):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening: connections are refused
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        problem = failing(processor, ProviderUnreachable, base_url=url, deadline=0.3)
    assert "OPENAI_BASE_URL" in str(problem)


def test_an_answer_without_end_is_not_read(processor, service, monkeypatch):
    monkeypatch.setattr(client, "MOST_BYTES", 10_000)
    service.always = Reply(story_answer("x" * 20_000))
    problem = failing(processor, BadAnswer)
    assert "too long" in str(problem)


def test_a_packed_answer_is_not_unpacked(processor, service):
    packed = gzip.compress(json.dumps(story_answer(STORY)).encode())
    service.always = Reply(packed, headers={"Content-Encoding": "gzip"})
    failing(processor, BadAnswer)
    assert service.headers[0]["accept-encoding"] == "identity"


def test_a_packed_answer_would_have_been_unpacked(processor, service, monkeypatch):
    """The control: the client unpacks what it is given."""
    monkeypatch.setattr(client.BoundedTransport, "handle_request", lambda self, asked: self.inner.handle_request(asked))
    packed = gzip.compress(json.dumps(story_answer(STORY)).encode())
    service.always = Reply(packed, headers={"Content-Encoding": "gzip"})
    assert processor().compose(SAID).title == STORY["title"]


def test_proxies_of_the_environment_are_not_used(processor, service, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client.client_of.cache_clear()
    processor().compose(SAID)
    assert service.requests


def test_an_error_that_is_not_in_the_protocol(processor, monkeypatch):
    teller = processor()

    def broken(*_: object, **__: object) -> None:
        raise httpx2.StreamError("a body")

    monkeypatch.setattr(teller.client.openai, "post", broken)
    with pytest.raises(BadAnswer, match="not in the protocol: StreamError"):
        teller.compose(SAID)


def test_what_is_away_says_so_and_until_when(processor, service, clock):
    service.always = Reply(ERROR, 429, {"Retry-After": "3600"})
    before = timezone.now()
    problem = failing(processor, ProviderBusy)
    assert problem.away
    assert before + timedelta(hours=1) <= problem.again_at <= timezone.now() + timedelta(hours=1)


def test_a_retry_after_as_a_date_is_that_time(processor, service, clock):
    back = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)
    service.always = Reply(ERROR, 503, {"Retry-After": format_datetime(back, usegmt=True)})
    assert abs(failing(processor, ProviderBusy).again_at - back) < timedelta(seconds=5)


@pytest.mark.parametrize("seconds", ["99999999", "1e300"])
def test_a_retry_after_of_years_is_taken_for_a_day(processor, service, clock, seconds):
    service.always = Reply(ERROR, 429, {"Retry-After": seconds})
    assert failing(processor, ProviderBusy).again_at <= timezone.now() + timedelta(days=1)


def test_without_a_retry_after_nobody_knows_when(processor, service, clock):
    service.always = Reply(ERROR, 500)
    assert failing(processor, ProviderBusy).again_at is None


AWAY = {
    "busy": (Reply(ERROR, 429), True),
    "down": (Reply(ERROR, 503), True),
    "broken off": (Reply(cut=True), True),
    "silent": (Reply(hang=FOR_EVER), True),
    "no key": (Reply(ERROR, 401), True),
    "no credit": (Reply(ERROR, 402), True),
    "no credit, as a 429": (Reply({"error": {"code": "insufficient_quota"}}, 429), True),
    "no right": (Reply(ERROR, 403), True),
    "no such model": (Reply(ERROR, 404), True),
    "moved": (Reply(ERROR, 308, {"Location": "http://127.0.0.1:9/"}), True),
    "a request that it does not take": (Reply(ERROR, 400), False),
    "a conversation that is too long": (Reply(ERROR, 413), False),
    "a model that declines": (Reply(story_answer(None, message={"refusal": "no"})), False),
    "a bad answer": (Reply(story_answer("no")), False),
    "an answer that was cut": (Reply(story_answer("{", finish_reason="length")), False),
}


@pytest.mark.parametrize(("reply", "away"), AWAY.values(), ids=AWAY.keys())
def test_a_service_that_is_away_is_told_from_an_input_at_fault(processor, service, reply, away):
    """Whoever builds again counts tries only where the input is at fault."""
    service.always = reply
    problem = failing(processor, ProcessingFailed, timeout=0.2, deadline=0.4)
    assert problem.away is away
    assert str(problem) not in ("", ProcessingFailed.message)


def test_want_of_credit_is_not_waited_out(processor, service):
    service.always = Reply({"error": {"code": "insufficient_quota"}}, 429)
    assert "no credit" in str(failing(processor, AccessRefused))
    assert len(service.requests) == 1


def test_what_an_embedder_raises_reaches_whoever_asked_for_vectors(embedder, service):
    service.always = Reply(ERROR, 429, {"Retry-After": "3600"})
    with pytest.raises(EmbedderFailed, match="answers 429") as failed:
        embed(["one", "two"], embedder())
    assert failed.value.away
    assert failed.value.again_at > timezone.now() + timedelta(minutes=59)
    service.always = Reply({"data": []})
    with pytest.raises(EmbedderFailed) as failed:
        embed(["one", "two"], embedder())
    assert not failed.value.away
    assert failed.value.again_at is None


@pytest.mark.parametrize(
    "problem",
    [
        ProviderBusy("The service answers 429.", again_at=timezone.now()),
        ProviderRefused("The service answers 400.", fields=["response_format"]),
        AccessRefused(),
        TokensSpent("Spent.", again_at=timezone.now()),
        EmbedderFailed("It failed.", away=True),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_an_error_comes_whole_out_of_a_process_of_its_own(problem):
    again = pickle.loads(pickle.dumps(problem))  # noqa: S301
    assert (type(again), str(again), vars(again)) == (type(problem), str(problem), vars(problem))
    assert again.away is problem.away
