"""One-time codes: where they are asked for, nobody gets in without one."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from audit.models import AuditLog
from vibe.db.contexts import as_staff, as_support

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ONE_TIME_CODES = True


@pytest.fixture
def enrolled(superuser: User) -> User:
    out = StringIO()
    call_command("add_one_time_code", email="Boss@example.com", stdout=out, stderr=StringIO())
    assert out.getvalue().startswith("otpauth://totp/Vibe")
    return superuser


def code(user: User, *, ahead: int = 0) -> str:
    with as_staff():
        device = TOTPDevice.objects.get(user_id=user.pk)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time() + ahead * device.step
    return f"{totp.token():06d}"


def sign_in(client: Client, token: str | None, given: str = PASSWORD) -> int:
    form = {"username": "boss@example.com", "password": given, **({} if token is None else {"otp_token": token})}
    return client.post(LOGIN, form).status_code


def test_with_a_code_one_gets_in(enrolled):
    client = Client()
    assert 'name="otp_token"' in client.get(LOGIN).content.decode()
    assert sign_in(client, code(enrolled)) == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("token", [None, "", "000000", "abcdef", "٠٠٠٠٠٠", "-1", "1e5", "0000000"])
def test_without_the_right_one_one_does_not(enrolled, token):
    client = Client()
    token = "000001" if token == code(enrolled) else token
    assert sign_in(client, token) == 200
    assert client.get("/admin/").status_code == 302


def test_without_the_setting_the_password_is_enough(enrolled, settings):
    """The control."""
    settings.ONE_TIME_CODES = False
    client = Client()
    assert 'name="otp_token"' not in client.get(LOGIN).content.decode()
    assert sign_in(client, None) == 302
    assert client.get("/admin/").status_code == 200


def test_a_code_is_good_once(enrolled):
    token = code(enrolled)
    assert sign_in(Client(), token) == 302
    assert sign_in(Client(), token) == 200


def test_a_session_from_before_is_not_enough(enrolled):
    client = Client()
    with as_support():
        client.force_login(enrolled)
    assert client.get("/admin/").status_code == 302


def test_whoever_has_no_device_does_not_get_in(superuser):
    assert sign_in(Client(), "123456") == 200


def test_another_s_code_does_not_count(enrolled, supporter):
    call_command("add_one_time_code", email="supporter@example.com", stdout=StringIO(), stderr=StringIO())
    assert sign_in(Client(), code(supporter)) == 200


def test_a_new_secret_voids_the_one_before(enrolled):
    before = code(enrolled)
    call_command("add_one_time_code", email="boss@example.com", stdout=StringIO(), stderr=StringIO())
    assert sign_in(Client(), before) == 200


def test_wrong_codes_are_counted_and_recorded(enrolled):
    answers = [sign_in(Client(), "000000") for _ in range(5)]
    assert answers[-1] == 429
    assert sign_in(Client(), code(enrolled, ahead=1)) == 429
    with as_support():
        assert {row.outcome for row in AuditLog.objects.filter(action="sign-in")} == {"refused"}


def test_a_wrong_password_says_nothing_of_the_code(enrolled):
    token = code(enrolled)
    assert sign_in(Client(), token, given="wrong") == 200
    assert sign_in(Client(), token) == 302, "and does not use it up"


def test_secrets_are_out_of_support_s_reach(enrolled):
    with pytest.raises(DatabaseError), as_support(), connection.cursor() as cursor:
        cursor.execute("SELECT key FROM otp_totp_totpdevice")
    assert TOTPDevice not in admin.site._registry


def test_only_staff_are_given_one(ada):
    with pytest.raises(CommandError):
        call_command("add_one_time_code", email="ada@example.com", stdout=StringIO(), stderr=StringIO())
