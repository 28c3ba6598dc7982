"""A token is proven once, and taken again only while all that the proof rests on still holds."""

import time

import jwt
import pytest

from accounts.authentication import local_tokens, tokens
from accounts.authentication.errors import TokenExpired, TokenInvalid
from accounts.authentication.tokens import verify


@pytest.fixture(autouse=True)
def nothing_proven(monkeypatch):
    monkeypatch.setattr(tokens, "proven", tokens.OrderedDict())


@pytest.fixture
def proofs(monkeypatch):
    """How often a signature was looked at."""
    seen, decode = [], jwt.decode
    monkeypatch.setattr(jwt, "decode", lambda *given, **how: seen.append(1) or decode(*given, **how))
    return seen


def test_the_signature_is_looked_at_once(proofs):
    token = local_tokens.issue(uid="ada")
    assert [verify(token).uid for _ in range(3)] == ["ada"] * 3
    assert len(proofs) == 1


def test_another_token_is_proven_for_itself(proofs):
    token = local_tokens.issue(uid="ada")
    verify(token)
    head, body, signature = token.split(".")
    forged = body[:-2] + ("AA" if body[-2:] != "AA" else "BB")
    for other in (f"{head}.{forged}.{signature}", f"{head}.{body}.{'A' * len(signature)}", token + "A"):
        with pytest.raises(TokenInvalid):
            verify(other)


def test_it_ends_when_the_token_does(monkeypatch):
    token, now = local_tokens.issue(uid="ada", seconds=60), time.time()
    verify(token)
    monkeypatch.setattr(tokens.time, "time", lambda: now + 60 + 31)  # past the clock skew
    assert tokens.cached_proof(tokens.hashlib.sha256(token.encode()).digest()) is None


def test_it_ends_with_the_key_it_is_signed_with(settings):
    token = local_tokens.issue(uid="ada")
    verify(token)
    settings.LOCAL_TOKEN_KEY = "12" * 32
    with pytest.raises(TokenInvalid):
        verify(token)


def test_it_ends_when_another_issuer_is_set_up(settings, monkeypatch):
    token = local_tokens.issue(uid="ada")
    verify(token)
    monkeypatch.setattr(local_tokens, "NAME", "another")
    with pytest.raises(TokenInvalid):
        verify(token)


def test_an_expired_token_is_not_kept():
    with pytest.raises(TokenExpired):
        verify(local_tokens.issue(uid="ada", seconds=-3600))
    assert not tokens.proven


def test_no_more_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(tokens, "MOST_PROVEN", 3)
    for number in range(5):
        verify(local_tokens.issue(uid=f"person-{number}"))
    assert [each.claims.uid for each in tokens.proven.values()] == ["person-2", "person-3", "person-4"]


def test_it_is_not_taken_before_its_time_by_a_clock_that_was_set_back(monkeypatch):
    token, now = local_tokens.issue(uid="ada"), time.time
    verify(token)
    monkeypatch.setattr(time, "time", lambda: now() - 7200)
    with pytest.raises(TokenInvalid):
        verify(token)
