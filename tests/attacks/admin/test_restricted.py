"""Processing restricted: no page of content opens, nobody lifts it who may not, and staff take nothing out."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.export.services import request_export
from accounts.grants import services as grants
from accounts.keys.errors import ProcessingRestricted
from accounts.models import Export, User
from accounts.people.services.account_status import set_restricted
from audit.actors import Actor, Origin
from audit.models import AuditLog
from tests.attacks.admin.stage import give, leaked, signed_in, undone
from tests.cast import TESTER
from vibe.core.db.scopes import as_support

WHY = {"reason": "They contest what is stored.", "ticket": "T-18"}


@pytest.fixture
def restricted(cast):
    """Ada, for whom `reader` has a grant in force."""
    with undone():
        set_restricted(user_id=cast.ada, restricted=True, actor=TESTER, **WHY)
        yield cast.ada


def state(person: Any) -> Any:
    with as_support():
        return User.objects.values_list("is_active", "restricted_at").get(pk=person)


CONTENT = ("person_content", "person_facts", "conversation_content", "why_asked")


def opened(cast: Any, name: str) -> Any:
    where = (cast.ada, cast.conversation) if name == "conversation_content" else (cast.ada,)
    if name == "why_asked":
        return cast.reader.post(cast.url(name, *where), {"question": "Who?"})
    return cast.reader.get(cast.url(name, *where))


@pytest.mark.parametrize("name", CONTENT)
def test_no_page_of_content_opens_under_a_grant_that_was_in_force(cast, restricted, name):
    answer = opened(cast, name)
    assert (answer.status_code, leaked(cast, answer)) == (403, [])
    assert "restricted" in answer.content.decode()


@pytest.mark.parametrize("name", CONTENT)
def test_control_without_the_restriction_they_open(cast, name):
    assert opened(cast, name).status_code == 200


def test_nobody_asks_to_read_it(cast, restricted):
    form = {"reason": "r", "ticket": "t", "hours": "1"}
    assert cast.other.post(cast.url("accounts_accessgrant_ask", cast.ada), form).status_code == 403
    with pytest.raises(ProcessingRestricted):
        give(cast.staff, "other", cast.ada)


def test_an_approval_meanwhile_opens_nothing(cast):
    with undone():
        grant = give(cast.staff, "other", cast.ada, approve=None)
        set_restricted(user_id=cast.ada, restricted=True, actor=TESTER, **WHY)
        grants.decide_request(grant_id=grant, actor=Actor.staff(cast.staff["approver"].pk, Origin()), approve=True)
        answer = cast.other.get(cast.url("person_content", cast.ada))
        assert (answer.status_code, leaked(cast, answer)) == (403, [])


@pytest.mark.parametrize("form", [WHY, {}])
def test_staff_export_nothing(cast, restricted, form):
    answer = cast.other.post(cast.url("accounts_user_do", cast.ada, "export"), form)
    assert answer.status_code == 409
    with pytest.raises(ProcessingRestricted):
        request_export(user_id=cast.ada, actor=Actor.staff(cast.staff["other"].pk, Origin()), **WHY)
    with as_support():
        assert not Export.objects.of(cast.ada).exists()


@pytest.mark.parametrize("role", ["approver", "auditor", "engineer", "nobody"])
@pytest.mark.parametrize("deed", ["restrict", "lift-restriction", "deactivate", "export"])
def test_other_roles_do_none_of_it(cast, role, deed):
    client = Client() if role == "nobody" else signed_in(cast.staff[role])
    with undone():
        if deed == "lift-restriction":
            set_restricted(user_id=cast.ada, restricted=True, actor=TESTER, **WHY)
        before = state(cast.ada)
        answer = client.post(cast.url("accounts_user_do", cast.ada, deed), WHY)
        assert answer.status_code in (302, 403)
        assert not leaked(cast, answer)
        assert state(cast.ada) == before


@pytest.mark.parametrize("deed", ["restrict", "deactivate", "export"])
@pytest.mark.parametrize(
    "form", [{}, {"reason": "r"}, {"ticket": "t"}, {"reason": " ", "ticket": " "}, {"reason": "x" * 501}]
)
def test_nor_anybody_without_a_reason_and_a_ticket(cast, deed, form):
    with undone():
        before = state(cast.ada)
        answer = cast.other.post(cast.url("accounts_user_do", cast.ada, deed), form)
        assert (answer.status_code, leaked(cast, answer), state(cast.ada)) == (200, [], before)
        with as_support():
            assert not Export.objects.of(cast.ada).exists()


def test_with_both_it_is_recorded(cast):
    with undone():
        for deed in ("export", "restrict", "deactivate", "lift-restriction", "reactivate"):
            assert cast.other.post(cast.url("accounts_user_do", cast.ada, deed), WHY).status_code == 302
        with as_support():
            rows = AuditLog.objects.about(cast.ada).by(cast.staff["other"].pk).filter(reason=WHY["reason"])
            told = {row.action for row in rows if row.details.get("ticket") == WHY["ticket"]}
    assert told == {
        *("export.request", "person.restrict", "person.deactivate", "person.lift-restriction", "person.reactivate"),
    }


def test_a_staff_account_is_not_restricted(cast):
    answer = cast.boss.post(cast.url("accounts_user_do", cast.staff["reader"].pk, "restrict"), WHY)
    assert answer.status_code == 409
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users WHERE restricted_at IS NOT NULL AND is_staff")
        assert cursor.fetchone() == (0,)
