"""People who come in with a token: made the first time, kept as their token says, out when they are to be out."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.authentication.firebase import firebase
from accounts.models import User, UserKey
from accounts.people.services import people
from accounts.people.services.account_status import revoke_tokens, set_active
from accounts.people.services.people import open_name
from tests.authentication.conftest import code, trail
from tests.authentication.issuer import token
from tests.cast import TESTER
from tests.processes import manage
from tests.protections import unprotected
from vibe.core.db.scopes import as_sign_in, as_system, as_user
from vibe.core.errors import ConfigurationError, NotFound

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "email_verified": True, "name": "Ada Tavares"}


def account(uid: str = "ada") -> User:
    with as_system():
        return User.objects.only("pk", "email", "email_verified", "last_login", "name").get(firebase_uid=uid)


def test_the_first_request_makes_person_and_key(ask: Any, firebase: Any) -> None:
    user_id = ask(token(**ADA)).json()["id"]
    ada = account()
    assert (str(ada.pk), ada.email, ada.email_verified, open_name(ada)) == (user_id, ADA["email"], True, ADA["name"])
    with as_system():
        assert UserKey.objects.of(ada.pk).count() == 1
    assert [(row.action, row.actor_kind, row.actor) for row in trail()] == [
        ("person.create", "system", "sign-in"),
        ("tests:who", "person", user_id),
    ]
    assert {row.subject for row in trail()} == {ada.pk}
    assert len({row.request_id for row in trail()}) == 1


def test_the_second_makes_nothing_and_is_the_same_person(ask: Any, firebase: Any) -> None:
    assert ask(token()).json()["id"] == ask(token()).json()["id"]
    assert len(trail(action="person.create")) == 1


def test_a_person_stays_whatever_becomes_of_their_first_request(ask: Any, firebase: Any) -> None:
    assert ask(token(), path="/api/tests/missing").status_code == 404
    (refused,) = trail(outcome="refused")
    assert refused.actor == str(account().pk)


def test_if_the_key_cannot_be_made_there_is_no_person(ask: Any, firebase: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("no key")

    monkeypatch.setattr(people, "make_data_key", fail)
    assert code(ask(token())) == (503, "sign-in-unavailable")
    with as_system():
        assert not User.objects.exists()


# Out at once


def test_who_is_deactivated_is_out_with_the_next_request(ask: Any, firebase: Any) -> None:
    sent = token()
    user_id = UUID(ask(sent).json()["id"])
    set_active(user_id=user_id, active=False, actor=TESTER)
    assert code(ask(sent)) == (403, "deactivated")
    assert trail()[-1].reason == "deactivated"
    set_active(user_id=user_id, active=True, actor=TESTER)
    assert ask(sent).status_code == 200


def test_tokens_of_an_earlier_sign_in_can_be_voided(ask: Any, firebase: Any) -> None:
    before = int(time.time()) - 60
    sent = token(iat=before, auth_time=before)
    assert ask(sent).status_code == 200
    call_command("revoke_tokens", user="ada")
    assert code(ask(sent)) == (401, "token-revoked")
    fresh = int(time.time()) + 1
    assert ask(token(iat=fresh, auth_time=fresh)).status_code == 200
    assert code(ask(token(iat=fresh, auth_time=before))) == (401, "token-revoked")
    assert [(row.actor, row.subject) for row in trail(action="person.sign-out")] == [("revoke_tokens", account().pk)]


def test_control_without_the_moment_the_token_goes_on(ask: Any, firebase: Any, ada: UUID) -> None:
    before = int(time.time()) - 60
    revoke_tokens(user_id=ada, actor=TESTER)
    with unprotected("users") as cursor:
        cursor.execute("UPDATE users SET tokens_valid_since = NULL")
    assert ask(token(iat=before, auth_time=before)).status_code == 200


def test_nobody_cannot_be_signed_out(db: None, supporter: User) -> None:
    with pytest.raises(NotFound):
        revoke_tokens(user_id=supporter.pk, actor=TESTER)
    with pytest.raises(CommandError, match="no such person"):
        call_command("revoke_tokens", user="nobody")


def test_when_they_signed_in_last_is_noted_once_a_sign_in(ask: Any, firebase: Any) -> None:
    early, late = int(time.time()) - 600, int(time.time()) - 60
    for at, noted in ((late, late), (early, late)):
        ask(token(iat=at, auth_time=at))
        assert account().last_login == datetime.fromtimestamp(noted, UTC)


# Email


@pytest.mark.parametrize(
    ("policy", "verified", "kept"),
    [
        ("ignore", False, (None, False)),
        ("accept", False, ("ada@example.com", False)),
        ("ignore", True, ("ada@example.com", True)),
        ("accept", True, ("ada@example.com", True)),
        ("refuse", True, ("ada@example.com", True)),
    ],
)
def test_an_address_is_kept_by_the_policy(ask: Any, firebase: Any, policy: str, verified: bool, kept: Any) -> None:
    firebase(unverified_email=policy)
    assert ask(token(email="ada@example.com", email_verified=verified)).status_code == 200
    ada = account()
    assert (ada.email, ada.email_verified) == kept


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_who_has_not_verified_theirs_is_refused_where_that_is_asked_for(
    ask: Any, firebase: Any, verified: object
) -> None:
    firebase(unverified_email="refuse")
    assert code(ask(token(email="ada@example.com", email_verified=verified))) == (403, "email-unverified")
    assert ask(token("by-phone")).status_code == 200
    with as_system():
        assert User.objects.count() == 1


def test_an_address_that_was_verified_or_changed_later_is_kept(ask: Any, firebase: Any) -> None:
    ask(token(email="ada@example.com"))
    assert account().email is None
    ask(token(**ADA))
    ask(token(**{**ADA, "email": "tavares@example.com"}))
    assert (account().email, account().email_verified) == ("tavares@example.com", True)
    ask(token(email="evil@example.com"))
    assert account().email == "tavares@example.com"
    assert len(trail(action="person.email")) == 2


def test_anothers_address_keeps_nobody_out_and_is_not_taken_over(ask: Any, firebase: Any, ada: UUID) -> None:
    first = ask(token("other", **ADA))
    assert first.status_code == 200
    assert first.json()["id"] != str(ada)
    assert account("other").email is None
    assert ask(token("other", **ADA)).status_code == 200
    assert account().email == "ada@example.com"


@pytest.mark.parametrize("email", ["x" * 250 + "@example.com", "a\x00@example.com", 5, "", ["a@example.com"]])
def test_an_address_that_is_none_is_left_out(ask: Any, firebase: Any, email: object) -> None:
    assert ask(token(email=email, email_verified=True)).status_code == 200
    assert account().email is None


# Walls


def test_signing_in_sees_the_one_account_and_changes_nothing_else_of_it(ada: UUID, jonas: UUID) -> None:
    with as_sign_in("ada"):
        assert list(User.objects.values_list("firebase_uid", flat=True)) == ["ada"]
        for column in ("email", "is_active", "tokens_valid_since"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE users SET {column} = NULL")
    with as_user(ada), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT tokens_valid_since FROM users")


# Settings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"emulator": True, "project": "vibe-tests"}, "FIREBASE_EMULATOR"),
        ({"project": "Not A Project"}, "FIREBASE_PROJECT_ID"),
        ({"keys_url": "http://example.com/keys"}, "FIREBASE_KEYS_URL"),
        ({"keys_url": "file:///etc/passwd"}, "FIREBASE_KEYS_URL"),
        ({"keys_url": ""}, "FIREBASE_KEYS_URL"),
        ({"unverified_email": "maybe"}, "FIREBASE_UNVERIFIED_EMAIL"),
        ({"clock_skew": 301}, "FIREBASE_CLOCK_SKEW"),
        ({"clock_skew": -1}, "FIREBASE_CLOCK_SKEW"),
        ({"keys_grace": -1}, "FIREBASE_KEYS_GRACE"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        replace(firebase(), **changes).check(debug=False)


def test_settings_that_are_right_are_taken() -> None:
    replace(firebase(), project="vibe-tests").check(debug=False)
    replace(firebase(), project="vibe-tests", emulator=True).check(debug=True)
    replace(firebase(), keys_url="http://127.0.0.1:9099/keys").check(debug=False)
    with pytest.raises(ConfigurationError, match="FIREBASE_EMULATOR needs"):
        replace(firebase(), emulator=True).check(debug=True)


PRODUCTION = {
    "DEBUG": "off",
    "ALLOWED_HOSTS": "vibe.example",
    **dict.fromkeys(("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY"), "0123456789abcdef" * 4),
}


def test_with_debug_off_the_emulator_stops_the_start() -> None:
    import secrets

    keys = {name: secrets.token_hex(32) for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY")}
    production = {**PRODUCTION, **keys, "FIREBASE_PROJECT_ID": "vibe-tests"}
    refused = manage("check", **production, FIREBASE_EMULATOR="on")
    assert refused.returncode != 0
    assert "FIREBASE_EMULATOR is on and DEBUG is off" in refused.stderr
    assert manage("check", **production).returncode == 0
    token_refused = manage("issue_token", "--user", "ada", **production)
    assert token_refused.returncode != 0
    assert "for development" in token_refused.stderr


def test_the_command_prints_a_token_that_signs_in(ask: Any, ada: UUID, capsys: Any) -> None:
    for who in ("ada", "uid:ada", "ada@example.com", "email:ADA@example.com", f"id:{ada}"):
        call_command("issue_token", user=who)
        assert ask(capsys.readouterr().out.strip()).json()["id"] == str(ada)
    for who in ("somebody-new", "uid:another"):
        call_command("issue_token", user=who)
        assert ask(capsys.readouterr().out.strip()).json()["id"] == str(account(who.removeprefix("uid:")).pk)
    for who, said in ((str(ada), "Write uid:"), (f"id:{UUID(int=7)}", "no such person")):
        with pytest.raises(CommandError, match=said):
            call_command("issue_token", user=who)
    with pytest.raises(CommandError, match="minutes"):
        call_command("issue_token", user="ada", minutes=0)


def test_a_token_of_this_machine_ends(ask: Any, bearer: Any, ada: UUID) -> None:
    assert code(ask(headers=bearer("ada", seconds=-60))) == (401, "token-expired")


def test_last_login_is_not_in_the_future(ask: Any, firebase: Any) -> None:
    ask(token(auth_time=int(time.time()) + 20))
    assert account().last_login < timezone.now() + timedelta(seconds=31)
