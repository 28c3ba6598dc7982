"""Erasure by staff: nobody approves their own, nor for who is close; no receipt says what is not so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts.erasure import services as erasure
from accounts.erasure.proof import receipt_of
from accounts.erasure.receipts import sign_statement
from accounts.models import Erasure, User
from accounts.staff.services import record_account_changed
from audit.actors import Actor, Origin
from audit.models import AuditLog
from tests.attacks.admin.stage import leaked, signed_in, undone
from tests.cast import TESTER
from tests.protections import unprotected
from tests.sessions import age
from vibe.core.db.scopes import as_staff, as_support, as_system
from vibe.core.errors import InputError

WHY = {"reason": "They wrote to us.", "ticket": "T-4711"}


def actor(cast: Any, name: str) -> Actor:
    return Actor.staff(cast.staff[name].pk, Origin())


@pytest.fixture
def waiting(cast, settings, tmp_path):
    """Jonas is to be erased, requested by `other`, and waits for approval."""
    settings.ERASURES_FILE, settings.EXPORT_DIR = tmp_path / "erasures.jsonl", tmp_path / "exports"
    with undone():
        yield erasure.request_erasure(user_id=cast.jonas, actor=actor(cast, "other"), **WHY)


def state(cast: Any) -> Any:
    with as_support():
        due = list(Erasure.objects.filter(person=cast.jonas).values_list("due_at", "approved_by"))
        return due, User.objects.values_list("is_active", flat=True).get(pk=cast.jonas)


def approve(cast: Any, who: Any, row: Erasure, **form: str) -> Any:
    client = who if isinstance(who, Client) else signed_in(cast.staff[who])
    return client.post(cast.url("accounts_erasure_do", row.pk, "approve-erasure"), form)


def give_role(cast: Any, name: str, *roles: str) -> None:
    with unprotected("users") as cursor:
        for role in roles:
            cursor.execute(
                "INSERT INTO users_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = %s "
                "ON CONFLICT DO NOTHING",
                [cast.staff[name].pk, role],
            )


# Until it is approved


def test_nothing_happens_to_the_person_until_it_is_approved(cast, waiting):
    assert state(cast) == ([(None, None)], True)
    assert erasure.erase_due(actor=TESTER) == []
    with pytest.raises(erasure.Refused, match="waits for approval"):
        erasure.erase(user_id=cast.jonas, actor=TESTER)
    assert approve(cast, "approver", waiting).status_code == 302, "the control"
    [(due, by)], active = state(cast)
    assert (bool(due), by, active) == (True, cast.staff["approver"].pk, False)


def test_without_the_setting_staff_schedule_it_alone(cast, settings):
    settings.ERASURES_NEED_APPROVAL = False
    with undone():
        assert erasure.request_erasure(user_id=cast.jonas, actor=actor(cast, "other"), **WHY).due_at
        assert state(cast)[1] is False


@pytest.mark.parametrize("form", [{}, {"reason": "r"}, {"ticket": "t"}, {"reason": " ", "ticket": " "}])
def test_a_request_that_does_not_say_why(cast, form):
    with undone():
        answer = cast.other.post(cast.url("accounts_user_do", cast.jonas, "erase"), form)
        assert (answer.status_code, leaked(cast, answer)) == (200, [])
        assert state(cast) == ([], True)
        with pytest.raises(InputError, match="Say why"):
            erasure.request_erasure(user_id=cast.jonas, actor=actor(cast, "other"), **form)


# Who approves


def test_nobody_approves_their_own(cast, waiting, settings):
    settings.GRANTS_ALLOW_SELF_APPROVAL = True  # which is for reading alone
    with undone():
        give_role(cast, "other", "approver")
        answer = approve(cast, "other", waiting)
        assert (answer.status_code, leaked(cast, answer), state(cast)) == (403, [], ([(None, None)], True))


def test_control_without_that_rule_the_database_still_refuses(cast, waiting, monkeypatch):
    """With both rules off: the requester is an approver, and is as close to themself as can be."""
    monkeypatch.setattr(erasure, "may_approve_erasure", lambda *_: True)
    monkeypatch.setattr(erasure, "require_separation", lambda *_: None)
    with undone():
        give_role(cast, "other", "approver")
        assert approve(cast, "other", waiting).status_code in (500, 503)
    with undone(), unprotected("erasures", row_security=False) as cursor:
        cursor.execute("ALTER TABLE erasures DROP CONSTRAINT erasures_four_eyes")
        give_role(cast, "other", "approver")
        assert approve(cast, "other", waiting).status_code == 302


@pytest.mark.parametrize("role", ["reader", "auditor", "engineer", "nobody"])
def test_nor_does_who_is_no_approver(cast, waiting, role):
    answer = approve(cast, Client() if role == "nobody" else role, waiting)
    assert answer.status_code in (302, 403)
    assert not leaked(cast, answer)
    assert state(cast) == ([(None, None)], True)


def test_nor_an_approver_who_is_close_to_who_asked(cast, waiting):
    with undone():
        with as_staff():
            record_account_changed(staff_id=cast.staff["approver"].pk, fields=["password"], actor=actor(cast, "other"))
        answer = approve(cast, "approver", waiting)
        assert (answer.status_code, state(cast)) == (403, ([(None, None)], True))
    assert approve(cast, "approver", waiting).status_code == 302, "the control: nobody changed the account"


def test_nor_anybody_while_codes_are_off(cast, waiting, settings):
    settings.ONE_TIME_CODES = False
    answer = approve(cast, "approver", waiting)
    assert (answer.status_code, state(cast)) == (403, ([(None, None)], True))


def test_nor_without_the_password(cast, waiting):
    answer = approve(cast, age(signed_in(cast.staff["approver"])), waiting, password="wrong")
    assert (answer.status_code, state(cast)) == (200, ([(None, None)], True))


def test_two_approvers_at_once_approve_it_once(cast, waiting):
    erasure.approve_erasure(user_id=cast.jonas, actor=actor(cast, "approver"))
    with pytest.raises(erasure.NotOpen):
        erasure.approve_erasure(user_id=cast.jonas, actor=actor(cast, "boss"))
    with as_support():
        assert AuditLog.objects.filter(action="erasure.approve").count() == 1


def test_one_that_was_withdrawn_meanwhile_is_not_approved(cast, waiting):
    erasure.cancel_erasure(user_id=cast.jonas, actor=actor(cast, "other"))
    with pytest.raises(erasure.NotOpen):
        erasure.approve_erasure(user_id=cast.jonas, actor=actor(cast, "approver"))
    assert state(cast) == ([], True)


@pytest.mark.parametrize(
    "change",
    [
        "due_at = now()",
        "due_at = now(), approved_by = requested_by, approved_at = now()",
        "begun_at = now()",
    ],
)
def test_the_database_holds_it_against_every_role(cast, waiting, change):
    statement = f"UPDATE erasures SET {change}"
    with pytest.raises(DatabaseError), transaction.atomic(), as_system(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(DatabaseError), transaction.atomic(), as_support(), connection.cursor() as cursor:
        cursor.execute(statement)
    with undone(), unprotected("erasures", row_security=False, triggers="USER") as cursor:
        for name in ("approved_first", "four_eyes", "due_first"):
            cursor.execute(f"ALTER TABLE erasures DROP CONSTRAINT erasures_{name}")
        with as_system(), connection.cursor() as free:
            free.execute(statement)
            assert free.rowcount == 1, "the control: it is the constraints that hold it"


def test_the_person_asks_for_it_themself_meanwhile(cast, waiting):
    """Their own wish takes no approval."""
    assert erasure.request_erasure(user_id=cast.jonas, actor=Actor.system("accounts.erase_user")).due_at
    assert state(cast)[1] is False
    with pytest.raises(erasure.NotOpen):
        erasure.refuse_erasure(user_id=cast.jonas, actor=actor(cast, "approver"))


# The receipt


@pytest.fixture
def receipt(cast, waiting, settings):
    settings.ERASURE_GRACE_DAYS = 0
    erasure.approve_erasure(user_id=cast.jonas, actor=actor(cast, "approver"))
    erasure.erase(user_id=cast.jonas, actor=TESTER)
    return receipt_of(cast.jonas)


def check(cast: Any, statement: Any, client: Client | None = None) -> Any:
    text = statement if isinstance(statement, str) else json.dumps(statement)
    return (client or cast.other).post(cast.url("accounts_erasure_check"), {"receipt": text})


def holds(answer: Any) -> bool:
    return answer.status_code == 200 and "The receipt holds" in answer.content.decode()


def test_it_is_downloaded_and_checked(cast, waiting, receipt):
    file = cast.other.get(cast.url("accounts_erasure_receipt", waiting.pk))
    assert file["Content-Disposition"] == f'attachment; filename="erasure-{cast.jonas}.json"'
    assert file.json() == receipt
    assert holds(check(cast, file.content.decode()))
    page = cast.other.get(cast.url("accounts_erasure_change", waiting.pk)).content.decode()
    assert "Download receipt" in page
    assert "Removed: " in page
    filled = cast.other.get(f"{cast.url('accounts_erasure_check')}?of={waiting.pk}").content.decode()
    assert receipt["signature"] in filled


@pytest.mark.parametrize(
    "change", [{"removed": {}}, {"person": "00000000-0000-7000-8000-000000000000"}, {"signature": "00" * 64}]
)
def test_one_that_was_altered_does_not_hold(cast, receipt, change):
    answer = check(cast, {**receipt, **change})
    assert not holds(answer)
    assert "does not hold" in answer.content.decode()


def test_nor_one_of_our_key_that_the_log_does_not_know(cast, receipt):
    rest = {name: value for name, value in receipt.items() if name not in ("key", "signature")}
    assert not holds(check(cast, sign_statement({**rest, "removed": {}})))


@pytest.mark.parametrize(
    "junk", ["", "x", "[]", "null", "{}", '{"signature": 1, "key": 2}', "[" * 19_000, "9" * 19_000, "x" * 30_000]
)
def test_junk_is_told_apart_and_breaks_nothing(cast, junk):
    answer = check(cast, junk)
    assert answer.status_code == 200
    assert not holds(answer)


def test_who_may_see_no_erasures_checks_none_and_downloads_none(cast, waiting, receipt):
    with undone():
        with unprotected("users") as cursor:
            cursor.execute("DELETE FROM users_groups WHERE user_id = %s", [cast.staff["auditor"].pk])
        for client in (signed_in(cast.staff["auditor"]), Client()):
            assert check(cast, receipt, client).status_code in (302, 403)
            answer = client.get(cast.url("accounts_erasure_receipt", waiting.pk))
            assert answer.status_code in (302, 403)
            assert receipt["signature"].encode() not in answer.content


def test_there_is_none_before_it_is_finished(cast, waiting):
    assert cast.other.get(cast.url("accounts_erasure_receipt", waiting.pk)).status_code == 404
