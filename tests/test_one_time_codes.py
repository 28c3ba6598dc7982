"""One-time codes: where they are asked for, nobody gets in without one."""

from __future__ import annotations

import os
import time
from base64 import b32decode, b32encode
from datetime import UTC, datetime, timedelta
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django_otp.oath import TOTP

from accounts.keys.master_key import ring
from accounts.models import OneTimeDevice, User
from accounts.models.one_time_device import secret_address
from accounts.staff import services as one_time_codes
from accounts.staff.sign_in_form import NO_DEVICE, WRONG_CODE
from audit.models import AuditLog
from tests.cast import TESTER
from tests.protections import unprotected
from vibe.core.crypto.errors import MasterKeyMissing, SealError
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_staff, as_support, as_system, as_user

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
    totp = TOTP(secret_of(user))
    totp.time = time.time() + ahead * totp.step
    return f"{totp.token():06d}"


def device_of(user: User) -> OneTimeDevice:
    with as_staff():
        return OneTimeDevice.objects.get(staff_id=user.pk)


def secret_of(user: User) -> bytes:
    device = device_of(user)
    return ring().unwrap(device.secret, secret_address(device))


def form(token: str | None, given: str = PASSWORD) -> dict[str, str]:
    return {"username": "boss@example.com", "password": given, **({} if token is None else {"otp_token": token})}


def sign_in(client: Client, token: str | None, given: str = PASSWORD) -> int:
    return client.post(LOGIN, form(token, given)).status_code


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


def test_it_is_said_that_a_device_is_missing_but_only_after_the_right_password(superuser):
    page = Client().post("/admin/login/", form("123456")).content.decode()
    assert NO_DEVICE in page and WRONG_CODE not in page
    assert NO_DEVICE not in Client().post("/admin/login/", form("123456", given="wrong")).content.decode()


def test_control_with_a_device_the_code_is_wrong(enrolled):
    page = Client().post("/admin/login/", form("123456")).content.decode()
    assert WRONG_CODE in page and NO_DEVICE not in page


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


@pytest.mark.parametrize("scope", [as_support, as_system, lambda: as_user(uuid7())])
def test_nothing_but_staff_s_own_scope_reaches_a_device(enrolled, scope):
    with pytest.raises(DatabaseError), scope(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM one_time_devices")
    assert OneTimeDevice not in admin.site._registry


def test_a_dump_does_not_give_the_secret_away(enrolled):
    secret = secret_of(enrolled)
    assert len(secret) == 20
    for form in (secret.hex(), b32encode(secret).decode()):
        assert form not in dumped("one_time_devices")
    assert "otp_totp_totpdevice" not in connection.introspection.table_names(), "where they once lay in clear"


def test_control_a_secret_in_clear_would_be_found(enrolled):
    secret = secret_of(enrolled)
    with unprotected("one_time_devices") as cursor:
        cursor.execute("UPDATE one_time_devices SET secret = %s", [secret])
    assert secret.hex() in dumped("one_time_devices")


def test_a_secret_moved_to_another_account_lets_nobody_in(enrolled, supporter):
    """Who writes to the database could else give their own device to an account whose password they know."""
    call_command("add_one_time_code", email="supporter@example.com", stdout=StringIO(), stderr=StringIO())
    theirs = code(supporter)
    with unprotected("one_time_devices") as cursor:
        cursor.execute(
            "UPDATE one_time_devices SET secret = (SELECT secret FROM one_time_devices WHERE staff_id = %s)",
            [supporter.pk],
        )
    with pytest.raises(SealError):
        one_time_codes.code_is_valid(enrolled, theirs)
    assert one_time_codes.code_is_valid(supporter, theirs), "the control: at home it is good"


def test_secrets_are_rotated_with_the_keys(enrolled, settings):
    secret, before = secret_of(enrolled), device_of(enrolled).secret.ciphertext
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = os.urandom(32).hex(), settings.ENCRYPTION_KEY
    call_command("rotate_keys", stdout=StringIO())
    assert device_of(enrolled).secret.ciphertext != before
    settings.ENCRYPTION_KEYS_RETIRED = ""
    assert secret_of(enrolled) == secret
    assert sign_in(Client(), code(enrolled)) == 302


def test_control_without_rotation_the_retired_key_is_missed(enrolled, settings):
    settings.ENCRYPTION_KEY = os.urandom(32).hex()
    with pytest.raises(MasterKeyMissing):
        secret_of(enrolled)


@pytest.mark.parametrize("failures", [1, 2, 5, 10_000])
def test_wrong_codes_make_the_next_ones_wait(failures):
    now = datetime.now(tz=UTC)
    wait = min(timedelta(seconds=2 ** min(failures - 1, 20)), timedelta(days=1))
    device = OneTimeDevice(failures=failures, failed_at=now - wait + timedelta(milliseconds=1))
    assert device.must_wait(now)
    assert not device.must_wait(now + timedelta(seconds=1))


def test_while_it_waits_the_right_code_is_not_taken_and_not_used_up(enrolled):
    token = code(enrolled)
    assert not one_time_codes.code_is_valid(enrolled, "000001" if token != "000001" else "000002")
    assert not one_time_codes.code_is_valid(enrolled, token)
    with as_staff():
        OneTimeDevice.objects.filter(staff_id=enrolled.pk).update(failed_at=datetime.now(tz=UTC) - timedelta(minutes=1))
    assert one_time_codes.code_is_valid(enrolled, token)
    assert device_of(enrolled).failures == 0


def test_the_address_is_what_apps_read(superuser):
    address = one_time_codes.enroll(email="boss@example.com", actor=TESTER)
    asked = parse_qs(urlsplit(address).query)
    assert urlsplit(address).path == "/Vibe%3Aboss%40example.com"
    assert b32decode(asked["secret"][0]) == secret_of(superuser)
    assert (asked["issuer"], asked["digits"], asked["period"]) == (["Vibe"], ["6"], ["30"])


def dumped(table: str) -> str:
    """A table as a thief of a dump reads it."""
    with unprotected("one_time_devices") as cursor:
        cursor.execute(f"SELECT to_jsonb({table})::text FROM {table}")
        return "\n".join(row for (row,) in cursor.fetchall())


def test_only_staff_are_given_one(ada):
    with pytest.raises(CommandError):
        call_command("add_one_time_code", email="ada@example.com", stdout=StringIO(), stderr=StringIO())
