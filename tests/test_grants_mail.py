"""Mail to approvers: sent by a job once a request is committed, off where none is configured, with nothing personal."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.grants import notices
from accounts.grants import services as grants
from accounts.models import User
from accounts.tasks import RETRY_MAIL, mail_approvers
from audit.actors import Actor, Origin
from tests.admin_roles import ROLES, member
from vibe.core.db.scopes import as_staff, as_system
from vibe.core.errors import ConfigurationError

SITE = "https://vibe.example.com"


@pytest.fixture
def staff(db: None) -> dict[str, User]:
    return {role: member(role) for role in ROLES}


@pytest.fixture
def post(settings: Any) -> None:
    """A mail server, of memory."""
    settings.EMAIL_URL, settings.SITE_URL = "memorymail://", SITE
    settings.DEFAULT_FROM_EMAIL = "vibe@example.com"


def actor(user: User) -> Actor:
    return Actor.staff(user.pk, Origin())


def ask(user: User, person: UUID) -> UUID:
    why = {"reason": "She lost her dog's name", "ticket": "T-117", "duration": timedelta(hours=4)}
    return grants.request_access(user_id=person, actor=actor(user), **why)


def jobs() -> list[dict[str, str]]:
    with as_system():
        return list(ProcrastinateJob.objects.filter(task_name=notices.JOB).values_list("args", flat=True))


def test_approvers_are_mailed_a_link_who_asks_and_for_how_long(post, staff, superuser, ada):
    grant = ask(staff["support"], ada)
    assert mail.outbox == [], "nothing is sent by the request itself"
    assert jobs() == [{"grant_id": str(grant)}]
    mail_approvers(str(grant))
    [sent] = mail.outbox
    assert sorted(sent.recipients()) == ["approver@staff.example", "boss@example.com"]
    whole = sent.message().as_string()
    for part in (
        "support@staff.example asks to read one person's content, for 4 hours.",
        f"{SITE}{reverse('admin:accounts_accessgrant_change', args=[grant])}",
        "vibe@example.com",
    ):
        assert part in whole
    for secret in ("ada", str(ada), "T-117", "dog", "approver@", "boss@"):
        assert secret not in whole.lower()


def test_what_is_rolled_back_is_not_mailed(post, staff, ada):
    with transaction.atomic():
        ask(staff["support"], ada)
        transaction.set_rollback(True)
    assert jobs() == []


def test_without_mail_there_is_no_job(staff, ada):
    grant = ask(staff["support"], ada)
    assert jobs() == []
    mail_approvers(str(grant))
    assert mail.outbox == []


@pytest.mark.parametrize("end", ["decided", "withdrawn"])
def test_what_does_not_wait_any_more_is_not_mailed(post, staff, settings, ada, end):
    settings.ONE_TIME_CODES = True
    grant = ask(staff["support"], ada)
    if end == "decided":
        grants.decide_request(grant_id=grant, actor=actor(staff["approver"]), approve=True)
    else:
        grants.end_grant(grant_id=grant, actor=actor(staff["support"]))
    mail_approvers(str(grant))
    assert mail.outbox == []


def test_nor_is_who_asks_or_is_not_active(post, staff, superuser, ada):
    with as_staff():
        User.objects.filter(pk=staff["approver"].pk).update(is_active=False)
    assert notices.mail_approvers(ask(superuser, ada)) == 0
    assert mail.outbox == []


@pytest.mark.parametrize(
    "problem", [SMTPRecipientsRefused({"approver@staff.example": (550, b"no")}), OSError("smtp.x")]
)
def test_a_mail_server_that_is_away_fails_no_request_and_is_tried_again(post, staff, ada, monkeypatch, problem):
    def fail(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", fail)
    grant = ask(staff["support"], ada)
    with pytest.raises(notices.MailNotSent) as caught:
        mail_approvers(str(grant))
    assert "staff.example" not in str(caught.value)
    assert "smtp.x" not in str(caught.value)
    assert notices.MailNotSent in RETRY_MAIL.retry_exceptions


def test_how_it_is_sent_is_read_from_the_url(post, settings):
    settings.EMAIL_URL = "smtp+tls://vibe%40example.com:p%2Fw@mail.example.com:587"
    server = notices.mail_server()
    assert (server["host"], server["port"], server["use_tls"], server["timeout"]) == ("mail.example.com", 587, True, 10)
    assert (server["username"], server["password"]) == ("vibe@example.com", "p/w")


WRONG = {
    "EMAIL_URL": "smpt://name:hunter2@mail.example.com",
    "EMAIL_URL of a bad port": "smtp://name:hunter2/x@mail.example.com",
    "SITE_URL": "vibe.example.com",
    "SITE_URL with a path": "https://vibe.example.com/admin",
    "DEFAULT_FROM_EMAIL": "",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_stops_the_start_by_name_and_shows_no_password(post, settings, what):
    name = what.partition(" ")[0]
    setattr(settings, name, WRONG[what])
    with pytest.raises(ConfigurationError, match=name) as caught:
        notices.mail_server()
    assert "hunter2" not in str(caught.value)
