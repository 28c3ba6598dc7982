"""Tokens: what is refused, with which answer, and that the checks refuse it and nothing else does.

Each refused token differs from a good one in one thing. Where a check could be forgotten, the control takes the check
away and the token is let in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.authentication import sign_in, tokens
from accounts.models import User
from tests.authentication.conftest import code, trail
from tests.authentication.issuer import ISSUER, PROJECT, KeyServer, claims, rsa_key, token, unsigned
from vibe.core.db.scopes import as_system

pytestmark = pytest.mark.django_db
CANARY = "zitronenfalter"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hs256_with_the_public_key() -> str:
    """Signed by anybody: the public key taken for a secret (RFC 8725, 2.1)."""
    secret = rsa_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'one'})}.{part(claims())}"
    mac = hmac.digest(secret, body.encode(), hashlib.sha256)
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def embedded_key() -> str:
    """Signed with a key that the token itself brings along."""
    from jwt.algorithms import RSAAlgorithm

    mine = RSAAlgorithm.to_jwk(rsa_key("mine").public_key(), as_dict=True)
    headers = {"kid": "one", "jwk": mine, "jku": "http://127.0.0.1:9/keys"}
    return jwt.encode(claims(), rsa_key("mine"), algorithm="RS256", headers=headers)


def altered() -> str:
    """A good token with another person's name put in."""
    header, _, signature = token().split(".")
    return f"{header}.{part(claims('somebody-else'))}.{signature}"


def now(**difference: int) -> dict[str, int]:
    return {name: int(time.time()) + seconds for name, seconds in difference.items()}


INVALID = {
    "junk": lambda: CANARY,
    "three parts of junk": lambda: f"{CANARY}.{CANARY}.{CANARY}",
    "dots": lambda: "..",
    "two parts": lambda: token().rpartition(".")[0],
    "a header that is a list": lambda: f"{part([])}.{part(claims())}.AAAA",
    "a header that is nested deep": lambda: f"{part(json.loads('[' * 900 + ']' * 900))}.{part(claims())}.AAAA",
    "a payload that is a list": lambda: jwt.api_jws.encode(b"[]", rsa_key("one"), "RS256", {"kid": "one"}),
    "no UTF-8": lambda: "ÿþ.ÿ.ÿ",
    "alg none": unsigned,
    "alg none with a kid": lambda: jwt.encode(claims(), None, algorithm="none", headers={"kid": "one"}),
    "alg nOnE": lambda: f"{part({'alg': 'nOnE', 'kid': 'one'})}.{part(claims())}.",
    "HS256 with the public key": hs256_with_the_public_key,
    "RS512 with the right key": lambda: jwt.encode(claims(), rsa_key("one"), "RS512", headers={"kid": "one"}),
    "alg that is no text": lambda: f"{part({'alg': 5, 'kid': 'one'})}.{part(claims())}.AAAA",
    "a key of its own": embedded_key,
    "altered": altered,
    "another key under that kid": lambda: token(key="another"),
    "unknown kid": lambda: token(kid="unknown"),
    "no kid": lambda: token(kid=None),
    "kid that is no text": lambda: f"{part({'alg': 'RS256', 'kid': ['one']})}.{part(claims())}.AAAA",
    "a header that must be understood": lambda: jwt.encode(
        claims(), rsa_key("one"), "RS256", headers={"kid": "one", "crit": ["x"], "x": 1}
    ),
    "wrong issuer": lambda: token(iss="https://securetoken.google.com/another"),
    "issuer that only begins right": lambda: token(iss=ISSUER + "-evil"),
    "issuer that is part of it": lambda: token(iss="https://securetoken.google.com/"),
    "no issuer": lambda: token(iss=None),
    "issuer in a list": lambda: jwt.api_jws.encode(
        json.dumps({**claims(), "iss": [ISSUER]}).encode(), rsa_key("one"), "RS256", {"kid": "one"}
    ),
    "wrong audience": lambda: token(aud="another"),
    "audience in a list": lambda: token(aud=[PROJECT, "another"]),
    "no audience": lambda: token(aud=None),
    "from the future": lambda: token(**now(iat=3600)),
    "signed in tomorrow": lambda: token(**now(auth_time=86_400)),
    "not valid yet": lambda: token(**now(nbf=3600)),
    "no expiry": lambda: token(exp=None),
    "no time of making": lambda: token(iat=None),
    "no time of signing in": lambda: token(auth_time=None),
    "expiry that is no number": lambda: token(exp="never"),
    "expiry beyond numbers": lambda: token(exp=float("inf")),
    "signing in at no number": lambda: token(auth_time="today"),
    "signing in at NaN": lambda: token(auth_time=float("nan")),
    "nobody": lambda: token(sub=""),
    "no person at all": lambda: token(sub=None),
    "a person that is a number": lambda: token(sub=5),
    "a name too long": lambda: token("x" * 129),
    "a name with a zero byte": lambda: token("a\x00da"),
}


@pytest.mark.parametrize("made", INVALID.values(), ids=INVALID.keys())
def test_what_is_no_token_of_ours_is_refused(ask: Any, firebase: Any, made: Callable[[], str]) -> None:
    answer = ask(made())
    assert code(answer) == (401, "token-invalid")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="vibe", error="invalid_token"')
    (row,) = trail()
    assert (row.actor_kind, row.outcome, row.reason, row.subject) == ("anonymous", "refused", "token-invalid", None)
    with as_system():
        assert not User.objects.exists()


def test_control_the_same_token_without_a_fault_is_let_in(ask: Any, firebase: Any) -> None:
    answer = ask(token())
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("how", "issuer")} == {"how": "token", "issuer": "firebase"}
    assert [(row.action, row.outcome) for row in trail()] == [("person.create", "ok"), ("tests:who", "ok")]


@pytest.mark.parametrize(
    ("made", "check"),
    [
        ("altered", "verify_signature"),
        ("another key under that kid", "verify_signature"),
        ("wrong issuer", "verify_iss"),
        ("wrong audience", "verify_aud"),
        ("from the future", "verify_iat"),
        ("not valid yet", "verify_nbf"),
    ],
)
def test_control_without_the_check_it_is_let_in(
    ask: Any, firebase: Any, monkeypatch: pytest.MonkeyPatch, made: str, check: str
) -> None:
    decode = jwt.decode
    kept = dict.fromkeys(("verify_iss", "verify_aud", "verify_exp", "verify_iat", "verify_nbf"), True)

    def without(*args: Any, options: Any, **more: Any) -> Any:
        return decode(*args, options={**kept, **options, check: False}, **more)

    monkeypatch.setattr(tokens.jwt, "decode", without)
    assert ask(INVALID[made]()).status_code == 200


def test_control_with_the_algorithm_taken_from_the_token_the_public_key_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake that the fixed algorithm is for: whoever knows the public key could sign."""
    pem = rsa_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = hs256_with_the_public_key()
    monkeypatch.setattr(jwt.algorithms.HMACAlgorithm, "prepare_key", lambda _, key: key)  # it, too, would refuse
    said = jwt.decode(forged, pem, algorithms=[jwt.get_unverified_header(forged)["alg"]], audience=PROJECT)
    assert said["sub"] == "ada"


def test_expired_is_said_so_that_a_client_gets_a_new_one(ask: Any, firebase: Any) -> None:
    assert code(ask(token(**now(exp=-3600)))) == (401, "token-expired")


@pytest.mark.parametrize(("skew", "status"), [(30, 200), (0, 401)])
def test_clocks_may_differ_by_the_setting(ask: Any, firebase: Any, skew: int, status: int) -> None:
    firebase(clock_skew=skew)
    for late in (now(exp=-5), now(iat=15, auth_time=15)):
        assert ask(token(**late)).status_code == status


def test_times_in_quotes_are_read_as_numbers(ask: Any, firebase: Any) -> None:
    """As the library reads them; not an error of ours, neither the first time nor from what is kept."""
    quoted = token(**{name: str(value) for name, value in now(iat=-5, exp=3600).items()})
    assert [ask(quoted).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": ""}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"cookie": "token=x"}],
    ids=str,
)
def test_without_a_credential_it_is_said_what_to_send(ask: Any, firebase: Any, headers: dict[str, str]) -> None:
    answer = ask(headers=headers)
    expected = "token-invalid" if headers.get("authorization") == "Bearer" else "credentials-missing"
    assert code(answer) == (401, expected)
    if expected == "credentials-missing":
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="vibe"'
        assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_read_in_any_case(ask: Any, firebase: Any, scheme: str) -> None:
    assert ask(headers={"authorization": f"{scheme} {token()}"}).status_code == 200


def test_100_kb_are_refused_unread(ask: Any, firebase: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(sign_in.tokens, "verify", lambda text: read.append(len(text)) or 1 / 0)
    assert code(ask(token(note="x" * 100_000))) == (401, "token-invalid")
    assert read == []


def test_control_without_the_bound_they_are_read(ask: Any, firebase: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "LONGEST", 1_000_000)
    assert ask(token(note="x" * 100_000)).status_code == 200


def test_a_refusal_shows_nothing_of_what_was_sent(ask: Any, firebase: Any, caplog: pytest.LogCaptureFixture) -> None:
    for made in (CANARY, token(CANARY, aud=CANARY), f"{part({'alg': CANARY})}.{part({'sub': CANARY})}.x"):
        answer = ask(made)
        assert answer.status_code == 401
        assert CANARY not in answer.content.decode() + str(answer.headers) + caplog.text
    assert CANARY not in str([vars(row) for row in trail()])


def test_a_caller_does_not_print_the_credential_and_is_an_actor(firebase: Any) -> None:
    from audit.actors import Origin

    made = token(email=f"{CANARY}@example.com", email_verified=True, name=CANARY)
    caller = sign_in.authenticate(authorization=f"Bearer {made}", person="", origin=Origin(request_id="r"))
    assert made not in repr(caller)
    assert CANARY not in repr(caller) + repr(tokens.verify(made))
    assert (caller.actor.kind, caller.actor.id, caller.actor.origin.request_id) == ("person", str(caller.user_id), "r")


# The emulator, and this machine's own tokens


def test_the_emulators_tokens_are_taken_where_it_is_set_and_nowhere_else(
    ask: Any, firebase: Any, settings: Any
) -> None:
    assert ask(unsigned()).status_code == 401
    settings.DEBUG = True
    firebase(emulator=True)
    assert ask(unsigned()).json()["issuer"] == "emulator"
    settings.DEBUG = False
    assert code(ask(unsigned())) == (503, "sign-in-unavailable")


@pytest.mark.parametrize(
    "made",
    [
        lambda: unsigned(aud="another"),
        lambda: unsigned(iss="https://securetoken.google.com/another"),
        lambda: unsigned(**now(exp=-3600)),
        lambda: unsigned(exp=None),
        lambda: unsigned() + "AAAA",
        token,
        lambda: CANARY,
    ],
)
def test_the_emulators_tokens_are_checked_too(ask: Any, firebase: Any, settings: Any, made: Callable[[], str]) -> None:
    settings.DEBUG = True
    firebase(emulator=True)
    assert ask(made()).status_code == 401


def test_this_machines_tokens_are_taken_with_nothing_configured(ask: Any, bearer: Any, firebase: Any) -> None:
    assert ask(headers=bearer("ada")).status_code == 401
    firebase(project="")
    assert ask(headers=bearer("ada")).json()["issuer"] == "local"
    assert ask(token()).status_code == 401
    assert ask(unsigned()).status_code == 401


def test_without_a_key_of_this_machine_there_is_no_signing_in(ask: Any, bearer: Any, settings: Any) -> None:
    """As with DEBUG off and no project."""
    sent = bearer("ada")
    settings.LOCAL_TOKEN_KEY = ""
    assert code(ask(headers=sent)) == (503, "sign-in-unavailable")


def test_another_machines_tokens_are_not_taken(ask: Any, bearer: Any, settings: Any) -> None:
    sent = bearer("ada")
    settings.LOCAL_TOKEN_KEY = "5" * 64
    assert code(ask(headers=sent)) == (401, "token-invalid")


def test_a_key_server_is_not_asked_for_what_is_no_token(ask: Any, firebase: Any, key_server: KeyServer) -> None:
    for made in ("junk", "alg none", "HS256 with the public key", "no kid", "kid that is no text"):
        ask(INVALID[made]())
    assert key_server.asked == 0
