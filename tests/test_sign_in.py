"""Signing in to the admin: guessing is stopped, sessions end, grave things ask for the password again."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings as configured
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.backends.base import UpdateError
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.grants import services as grants
from accounts.models import AccessGrant, User
from accounts.staff.axes_hooks import counted_name
from accounts.staff.groups import ensure_groups
from accounts.staff.session_store import SessionStore
from accounts.staff.sign_in_failures import SignInFailures
from audit.actors import Actor, Origin
from audit.models import AuditLog
from tests.sessions import force_sign_in, fresh_code
from vibe.core.db.scopes import as_staff, as_support

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"
WRONG = "wrong"


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def attempt(name: str = "boss@example.com", *, password: str = WRONG, **meta) -> int:
    return Client().post(LOGIN, {"username": name, "password": password}, **meta).status_code


def test_guessing_is_stopped_and_the_right_password_with_it(superuser):
    limit = configured.AXES_FAILURE_LIMIT
    assert [attempt() for _ in range(limit)] == [200] * (limit - 1) + [429]
    assert attempt(password=PASSWORD) == 429
    with as_support():
        rows = AuditLog.objects.filter(action="sign-in")
        assert [row.outcome for row in rows] == ["refused"] * (limit + 1)


def test_inside_the_transaction_the_lock_would_never_hold(superuser, settings):
    """The control: an answer of 429 undoes what the request did, so it must be given outside."""
    axes, audit = "axes.middleware.AxesMiddleware", "audit.middleware.AuditMiddleware"
    settings.MIDDLEWARE = [*(name for name in settings.MIDDLEWARE if name not in (axes, audit)), audit, axes]
    for _ in range(configured.AXES_FAILURE_LIMIT + 3):
        attempt()
    assert attempt(password=PASSWORD) == 302


def test_without_the_guard_guessing_goes_on(superuser, settings):
    settings.AXES_ENABLED = False
    assert [attempt() for _ in range(8)] == [200] * 8
    assert attempt(password=PASSWORD) == 302


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_CLIENT_IP"])
def test_a_forged_address_is_no_new_start(superuser, settings, header):
    settings.SIGN_IN_FAILURES_ADDRESS = 5
    for number in range(5):
        attempt(f"{number}@example.com", **{header: f"203.0.113.{number}"})
    assert attempt(password=PASSWORD, **{header: "203.0.113.99"}) == 429


def test_one_account_is_not_guessed_at_from_many_places(superuser):
    names = ("boss@example.com", "BOSS@example.com", " boss@Example.com ", "Boss@EXAMPLE.com", "boss@example.com")
    for number, name in enumerate(names):
        attempt(name, REMOTE_ADDR=f"203.0.113.{number}")
    assert attempt(password=PASSWORD, REMOTE_ADDR="203.0.113.200") == 429


def test_others_go_on(superuser):
    for _ in range(configured.AXES_FAILURE_LIMIT):
        attempt("somebody@example.com", REMOTE_ADDR="203.0.113.1")
    assert attempt(password=PASSWORD, REMOTE_ADDR="203.0.113.2") == 302


def test_others_at_the_same_address_go_on(superuser):
    """The control: a limit for addresses as low as that for accounts keeps them out."""
    for _ in range(configured.AXES_FAILURE_LIMIT):
        attempt("somebody@example.com")
    assert attempt("somebody@example.com") == 429
    with override_settings(SIGN_IN_FAILURES_ADDRESS=configured.AXES_FAILURE_LIMIT):
        assert attempt(password=PASSWORD) == 429
    assert attempt(password=PASSWORD) == 302


@pytest.mark.parametrize(("limit", "status"), [(12, 429), (13, 302)])
def test_an_address_that_tries_many_accounts_is_locked(superuser, settings, limit, status):
    settings.SIGN_IN_FAILURES_ADDRESS = limit
    for number in range(12):
        attempt(f"{number}@example.com")
    assert attempt(password=PASSWORD) == status


def guesses_between_own_sign_ins(superuser: User) -> list[int]:
    """Guess at the account of another, and sign in with one's own before the lock."""
    User.objects.create_user("mallory@example.com", PASSWORD)
    answers = []
    for _ in range(3):
        answers += [attempt() for _ in range(configured.AXES_FAILURE_LIMIT - 1)]
        assert attempt("mallory@example.com", password=PASSWORD) == 302
    return answers


def test_signing_in_with_one_s_own_account_gives_no_new_tries_at_another(superuser):
    assert 429 in guesses_between_own_sign_ins(superuser)


def test_control_as_django_axes_clears_failures_it_does(superuser, monkeypatch):
    monkeypatch.setattr(SignInFailures, "reset_user_attempts", AxesDatabaseHandler.reset_user_attempts)
    assert set(guesses_between_own_sign_ins(superuser)) == {200}


def test_a_superuser_replaces_a_forgotten_password_and_opens_the_lock(superuser):
    lena = User.objects.create_user("lena@example.com", "one that she forgot")
    for _ in range(configured.AXES_FAILURE_LIMIT):
        attempt("Lena@example.com")
    page, fresh = reverse("admin:auth_user_password_change", args=[lena.pk]), "another long sentence"
    given = {"usable_password": "true", "password1": fresh, "password2": fresh}
    stale = signed_in(superuser, signed_in_at=configured.SUDO_MINUTES * 60 + 60)
    assert 'name="confirm-password"' in stale.get(page).content.decode(), "asked for the password again"
    stale.post(page, given)
    assert attempt("lena@example.com", password=fresh) == 429, "nothing was done"
    assert signed_in(superuser).post(page, given).status_code == 302
    assert attempt("lena@example.com", password=fresh) == 302
    with as_support():
        assert AuditLog.objects.get(action="staff.change").resource == f"users/{lena.pk}"


def test_the_lock_opens_by_itself(superuser):
    for _ in range(configured.AXES_FAILURE_LIMIT):
        attempt()
    with as_support():
        AccessAttempt.objects.update(attempt_time="2026-01-01T00:00Z")
    assert attempt(password=PASSWORD) == 302


def test_what_is_kept_of_an_attempt_holds_no_password(superuser):
    attempt(password="my secret word")
    with as_support():
        assert "my secret word" not in str(AccessAttempt.objects.values().get())


@pytest.mark.parametrize("name", ["Boss@Example.com", " boss@example.com", "ｂoss@example.com"])
def test_spellings_of_a_name_count_as_one(name):
    assert counted_name(None, {"username": name}) == "boss@example.com"


# Sessions


def signed_in(user: User, **clocks: float) -> Client:
    client = force_sign_in(Client(), user)
    session = client.session
    session.update({name: int(time.time() - ago) for name, ago in clocks.items()})
    session.save()
    return client


@pytest.mark.parametrize(
    ("clocks", "status"),
    [
        ({}, 200),
        ({"signed_in_at": 11 * 3600}, 200),
        ({"signed_in_at": 13 * 3600}, 302),
        ({"seen_at": 50 * 60}, 200),
        ({"seen_at": 61 * 60}, 302),
    ],
    ids=str,
)
def test_a_session_ends_by_age_and_when_left_alone(superuser, clocks, status):
    assert signed_in(superuser, **clocks).get("/admin/").status_code == status


def test_a_session_in_use_goes_on(superuser):
    client = signed_in(superuser, seen_at=50 * 60)
    client.get("/admin/")
    assert time.time() - client.session["seen_at"] < 60


def test_noting_that_a_session_is_in_use_takes_one_round_trip(superuser):
    session = signed_in(superuser).session
    noted = session["seen_at"] - 1
    with CaptureQueriesContext(connection) as statements:
        session["seen_at"] = noted
        session.save()
    assert len(statements) == 1
    assert SessionStore(session.session_key)["seen_at"] == noted


def test_a_session_that_was_ended_meanwhile_does_not_come_back(superuser):
    session = signed_in(superuser).session
    session["seen_at"] = 0
    SessionStore(session.session_key).delete()
    with pytest.raises(UpdateError):
        session.save()
    assert not SessionStore().exists(session.session_key)


def test_rights_by_role_and_by_account_are_one_round_trip(supporter):
    ensure_groups()
    with as_staff():
        supporter.groups.set(Group.objects.filter(name="engineer"))
        supporter.user_permissions.set(Permission.objects.filter(codename="view_auditlog"))
        with CaptureQueriesContext(connection) as statements:
            rights = supporter.get_all_permissions()
        assert len(statements) == 1
        assert {"audit.view_auditlog", "accounts.see_health"} <= rights
        assert rights == ModelBackend().get_all_permissions(User.objects.get(pk=supporter.pk))
        assert supporter.has_perm("accounts.see_health")
        assert not supporter.has_perm("accounts.change_accessgrant")


def test_a_session_without_clocks_has_run_out(superuser):
    client = signed_in(superuser)
    session = client.session
    del session["signed_in_at"]
    session.save()
    assert client.get("/admin/").status_code == 302
    assert "_auth_user_id" not in client.session


# The password again


@pytest.fixture
def asked(ada, superuser, settings) -> str:
    """The address that approves what somebody else asked for."""
    settings.ONE_TIME_CODES = True
    ensure_groups()
    lena = User.objects.create_user("lena@example.com", PASSWORD)
    with as_staff():
        lena.groups.set(Group.objects.filter(name="support"))
    actor = Actor.staff(lena.pk, Origin())
    grant = grants.request_access(user_id=ada, actor=actor, reason="r", ticket="t", duration=timedelta(hours=1))
    return reverse("admin:accounts_accessgrant_do", args=[grant, "approve"])


def approved() -> bool | None:
    with as_support():
        return AccessGrant.objects.get().approved


def test_approving_takes_the_password_again(superuser, asked):
    client = signed_in(superuser, signed_in_at=11 * 60)
    assert 'name="password"' in client.get(asked).content.decode()
    code = fresh_code(superuser)
    for form in ({}, {"password": ""}, {"password": "wrong", "otp_token": code}, {"password": PASSWORD}):
        answer = client.post(asked, form)
        assert answer.status_code == 200
        assert approved() is None
    assert client.post(asked, {"password": PASSWORD, "otp_token": code}).status_code == 302
    assert approved() is True


def test_just_after_signing_in_it_does_not(superuser, asked):
    client = signed_in(superuser)
    assert 'name="password"' not in client.get(asked).content.decode()
    assert client.post(asked).status_code == 302
    assert approved() is True


def test_guessing_the_password_there_is_stopped_too(superuser, asked):
    client = signed_in(superuser, signed_in_at=11 * 60)
    answers = [client.post(asked, {"password": "wrong"}).status_code for _ in range(configured.AXES_FAILURE_LIMIT)]
    assert answers[-1] == 429
    assert client.post(asked, {"password": PASSWORD}).status_code == 429
    assert approved() is None


def test_signing_in_without_a_page_to_return_to_leads_to_the_admin(db: None, client: Client) -> None:
    User.objects.create_superuser("boss@example.com", "correct horse battery")
    given = {"username": "boss@example.com", "password": "correct horse battery"}
    assert client.post("/admin/login/", given)["Location"] == "/admin/"
