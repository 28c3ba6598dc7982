"""One-time codes: where they are asked for, nobody gets in without one."""

from __future__ import annotations

import os
import re
import time
from base64 import b32decode, b32encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from accounts.keys.master_key import ring
from accounts.models import OneTimeDevice, User
from accounts.models.one_time_device import recovery_address, secret_address
from accounts.staff import services as one_time_codes
from accounts.staff.sign_in_form import NO_DEVICE, WRONG_CODE
from audit.models import AuditLog
from tests.cast import TESTER
from tests.protections import unprotected
from tests.sessions import age, code_of, force_sign_in
from vibe.core.crypto.errors import MasterKeyMissing, SealError
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_staff, as_support, as_system, as_user

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ONE_TIME_CODES = True
    monkeypatch.setitem(one_time_codes.COST, "n", 2)


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


# An authenticator app added in the browser


APP, CODES = "/admin/one-time-codes/app/", "/admin/one-time-codes/recovery/"


@pytest.fixture
def boss(enrolled) -> Client:
    return force_sign_in(Client(), enrolled)


def new_app(user: User) -> tuple[OneTimeDevice, dict[str, str]]:
    """An app that scanned the page, and the form that adds it."""
    device = one_time_codes.new_device(user)
    app = TOTP(ring().unwrap(device.secret, secret_address(device)))
    return device, {"device": one_time_codes.form_token(device), "code": code_of(app), "password": PASSWORD}


def recovery_codes(page: str) -> list[str]:
    return re.findall(r"<code>(\d{4}(?: \d{4}){3})</code>", page)


def test_an_app_is_scanned_confirmed_and_counts(boss, enrolled):
    before = code(enrolled)
    page = boss.get(APP).content.decode()
    [token] = re.findall(r'name="device" value="(\w+)"', page)
    secret = b32decode(re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0].replace(" ", ""))
    assert "data:image/svg+xml" in page
    assert device_of(enrolled).pk.hex not in token, "what is shown does not count yet"
    answer = boss.post(APP, {"device": token, "code": code_of(TOTP(secret)), "password": PASSWORD})
    assert len(set(recovery_codes(answer.content.decode()))) == 10
    assert "no-store" in answer.headers["Cache-Control"]
    assert secret_of(enrolled) == secret
    assert sign_in(Client(), before) == 200, "the app of before does not count any more"
    later(enrolled)
    assert sign_in(Client(), code(enrolled, ahead=1)) == 302
    assert sign_in(Client(), code_of(TOTP(secret))) == 200, "the code that confirmed it is used"
    with as_support():
        assert AuditLog.objects.get(action="staff.one_time_code", actor=str(enrolled.pk)).outcome == "ok"


WRONG = {
    "no password": {"password": ""},
    "a wrong password": {"password": "wrong"},
    "no code": {"code": ""},
    "a wrong code": {"code": "000000"},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_session_alone_adds_no_app(boss, enrolled, what):
    """Also within the minutes after the password was given."""
    before = device_of(enrolled).pk
    _, form = new_app(enrolled)
    assert boss.post(APP, {**form, **WRONG[what]}).status_code == 200
    assert device_of(enrolled).pk == before


def test_control_with_both_it_does(boss, enrolled):
    device, form = new_app(enrolled)
    boss.post(APP, form)
    assert device_of(enrolled).pk == device.pk


def test_after_those_minutes_password_and_code_are_asked_for_first(boss, enrolled):
    before = device_of(enrolled).pk
    for page in (APP, CODES):
        assert 'name="confirm-otp_token"' in age(boss).get(page).content.decode()
        assert 'name="confirm-otp_token"' in age(boss).post(page, new_app(enrolled)[1]).content.decode()
    assert device_of(enrolled).pk == before


def test_an_app_that_was_shown_to_somebody_else_is_not_added(boss, enrolled, supporter):
    _, form = new_app(supporter)
    for token in (form["device"], form["device"][:-2] + "00", "x", "0" * 32, ""):
        assert boss.post(APP, {**form, "device": token}).status_code == 400
    assert device_of(enrolled).staff_id == enrolled.pk
    with pytest.raises(OneTimeDevice.DoesNotExist):
        device_of(supporter)


# Recovery codes


@pytest.fixture
def codes(boss, enrolled) -> list[str]:
    return recovery_codes(boss.post(CODES, {"password": PASSWORD}).content.decode())


@pytest.mark.parametrize("written", [str, lambda text: text.replace(" ", ""), lambda text: text.replace(" ", "-")])
def test_a_recovery_code_signs_in_once_and_leads_to_the_apps(codes, enrolled, written):
    client = Client()
    answer = client.post(LOGIN, form(written(codes[3])))
    assert (answer.status_code, answer["Location"]) == (302, "/admin/one-time-codes/")
    assert "9 of 10 left" in client.get("/admin/one-time-codes/").content.decode()
    assert sign_in(Client(), codes[3]) == 200
    later(enrolled)
    assert sign_in(Client(), codes[4]) == 302, "the control: another is good"
    with as_support():
        row = AuditLog.objects.filter(action="sign-in", outcome="ok").first()
        assert row.details["recovery_code"] is True
        assert not AuditLog.objects.filter(details__icontains=codes[3][:4]).exists()


def later(user: User) -> None:
    """The wait after a wrong code is over."""
    with as_staff():
        OneTimeDevice.objects.filter(staff_id=user.pk).update(failures=0, failed_at=None)


def test_new_ones_void_those_of_before_and_take_the_password(codes, boss, enrolled):
    for wrong in ("", "wrong"):
        assert recovery_codes(boss.post(CODES, {"password": wrong}).content.decode()) == []
    assert one_time_codes.second_factor(enrolled).recovery_codes == 10
    new = recovery_codes(boss.post(CODES, {"password": PASSWORD}).content.decode())
    assert (len(new), set(new) & set(codes)) == (10, set())
    assert sign_in(Client(), codes[0]) == 200
    later(enrolled)
    assert sign_in(Client(), new[0]) == 302


def test_they_answer_the_question_before_what_is_grave_too(codes, boss):
    answer = age(boss).post("/admin/accounts/user/add/", {"confirm-password": PASSWORD, "confirm-otp_token": codes[0]})
    assert answer.status_code == 302


def test_without_an_app_there_are_none(superuser):
    client = force_sign_in(Client(), superuser)
    assert client.post(CODES, {"password": PASSWORD}).status_code == 400


def test_a_guess_delays_the_next_try(codes, enrolled):
    assert not one_time_codes.code_is_valid(enrolled, "0000 0000 0000 0000")
    assert not one_time_codes.code_is_valid(enrolled, codes[0])
    assert one_time_codes.second_factor(enrolled).recovery_codes == 10


def test_what_is_stored_is_hashed_and_wrapped(codes, enrolled):
    digits = [each.replace(" ", "") for each in codes]
    kept = ring().unwrap(device_of(enrolled).recovery, recovery_address(device_of(enrolled)))
    dump = dumped("one_time_devices")
    for each in digits:
        assert each.encode() not in kept
        assert each not in dump
        assert sha256(each.encode()).digest() not in kept, "they are few enough to be tried in turn"
    assert len(kept) == 10 * len(one_time_codes._digest(device_of(enrolled), digits[0]))
    assert one_time_codes._digest(device_of(enrolled), digits[0]) in kept, "the control"


def test_codes_of_somebody_s_own_making_let_nobody_in(codes, enrolled, supporter):
    """Who writes to the database could else give their own codes to an account whose password they know."""
    call_command("add_one_time_code", email="supporter@example.com", stdout=StringIO(), stderr=StringIO())
    theirs = one_time_codes.renew_recovery_codes(staff_id=supporter.pk, actor=TESTER)
    with unprotected("one_time_devices") as cursor:
        cursor.execute(
            "UPDATE one_time_devices SET recovery = (SELECT recovery FROM one_time_devices WHERE staff_id = %s)",
            [supporter.pk],
        )
    with pytest.raises(SealError):
        one_time_codes.code_is_valid(enrolled, theirs[0])
    assert one_time_codes.code_is_valid(supporter, theirs[0]), "the control: at home it is good"


def test_they_are_rotated_with_the_keys(codes, enrolled, settings):
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = os.urandom(32).hex(), settings.ENCRYPTION_KEY
    call_command("rotate_keys", stdout=StringIO())
    settings.ENCRYPTION_KEYS_RETIRED = ""
    assert one_time_codes.code_is_valid(enrolled, codes[0])


# A sign-in code of a superuser's, for whoever has no app


def give_code(client: Client, user: User) -> str:
    answer = client.post(reverse("admin:accounts_user_do", args=[user.pk, "give-code"]))
    found = re.findall(r"\d{4}(?: \d{4}){3}", answer.content.decode())
    return found[0] if found else ""


def theirs(token: str) -> dict[str, str]:
    return {"username": "supporter@example.com", "password": PASSWORD, "otp_token": token}


def test_a_new_colleague_signs_in_with_it_once_and_adds_an_app(boss, enrolled, supporter):
    token, client = give_code(boss, supporter), Client()
    answer = client.post(LOGIN, theirs(token))
    assert (answer.status_code, answer["Location"]) == (302, "/admin/one-time-codes/")
    assert Client().post(LOGIN, theirs(token)).status_code == 200, "it is good once"
    assert client.post(APP, new_app(supporter)[1]).status_code == 200
    assert client.post("/admin/logout/").status_code == 200
    assert Client().post(LOGIN, theirs(code(supporter, ahead=1))).status_code == 302
    with as_support():
        given = AuditLog.objects.filter(action="staff.one_time_code", resource=f"users/{supporter.pk}").order_by("at")
        assert [row.actor for row in given] == [str(enrolled.pk), str(supporter.pk)]


def test_it_is_good_for_a_day(boss, supporter):
    for hours, status in ((25, 200), (23, 302)):
        token = give_code(boss, supporter)
        with unprotected("one_time_devices") as cursor:
            cursor.execute(
                "UPDATE one_time_devices SET created_at = now() - make_interval(hours => %s) WHERE staff_id = %s",
                [hours, supporter.pk],
            )
        assert Client().post(LOGIN, theirs(token)).status_code == status


def test_it_voids_an_app_that_is_lost(boss, supporter):
    call_command("add_one_time_code", email="supporter@example.com", stdout=StringIO(), stderr=StringIO())
    before = code(supporter)
    give_code(boss, supporter)
    assert Client().post(LOGIN, theirs(before)).status_code == 200


def test_only_superusers_give_it_and_not_to_themselves_or_people(boss, enrolled, supporter, ada):
    assert give_code(force_sign_in(Client(), supporter), enrolled) == ""
    assert give_code(boss, enrolled) == ""
    assert boss.post(reverse("admin:accounts_user_do", args=[ada, "give-code"])).status_code == 403
    assert give_code(boss, supporter), "the control"
