"""A superuser's session, stolen or misused: it makes no staff by itself, and no second pair of eyes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import UUIDField
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from django_otp.oath import TOTP

from accounts.erasure.services import request_erasure
from accounts.grants import services as grants
from accounts.grants.separation import are_joined
from accounts.key_approvals.services import make_key
from accounts.keys.master_key import ring
from accounts.models import AccessGrant, ApiKey, Erasure, OneTimeDevice, User
from accounts.models.one_time_device import secret_address
from accounts.staff import services as one_time_codes
from accounts.staff.services import CHANGES_OF_ACCOUNTS, enroll
from audit.actors import Actor, Origin
from audit.models import AuditLog
from tests.attacks.admin.stage import give, signed_in, undone
from tests.cast import TESTER
from tests.sessions import age, code_of, fresh_code
from vibe.core.admin.base import MetadataAdmin
from vibe.core.db.scopes import as_staff, as_support
from vibe.core.errors import Refused

PASSWORD = "correct horse battery"
NEW = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
QUESTION = 'name="confirm-password"'


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    """No walk over the static files for each client."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


# The walk: every address of the admin that takes a form


def patterns(found: list[Any]) -> Iterator[URLPattern]:
    for each in found:
        yield from patterns(each.url_patterns) if hasattr(each, "url_patterns") else [each]


PATTERNS = {each.name: each for each in patterns(admin.site.get_urls()) if each.name not in (None, "login")}
DEEDS = [
    (f"{its.opts.app_label}_{its.opts.model_name}_do", deed.name)
    for its in admin.site._registry.values()
    if isinstance(its, MetadataAdmin)
    for deed in its.deeds
]
PLACES = [*((name, "") for name in PATTERNS if not name.endswith("_do")), *DEEDS]
GRAVE = {
    ("accounts_user_add", ""),
    ("accounts_user_change", ""),
    ("auth_user_password_change", ""),
    ("password_change", ""),
    ("accounts_accessgrant_do", "approve"),
    ("accounts_user_do", "erase"),
    ("accounts_erasure_do", "approve-erasure"),
    ("accounts_apikey_add", ""),
    ("accounts_apikey_do", "approve-key"),
    ("accounts_user_do", "give-code"),
    ("add_one_time_device", ""),
    ("make_recovery_codes", ""),
}


def row_of(cast: Any, name: str, deed: str) -> Any:
    """A row that the address is about: one to which the gravest can be done."""
    its = {f"{one._meta.app_label}_{one._meta.model_name}": one for one in admin.site._registry}
    if name == "accounts_user_change" or deed == "give-code":
        return cast.staff["auditor"].pk
    if name in ("accounts_user_do", "accounts_user_history", "accounts_user_delete"):
        return cast.jonas
    if name == "auth_user_password_change":
        return cast.staff["auditor"].pk
    model = ApiKey if name == "accounts_webhookendpoint_make" else its.get(name.rpartition("_")[0], User)
    with as_support():
        rows = model._default_manager.order_by("pk")
        if model is AccessGrant and deed:
            rows = rows.filter(approved=None)
        if model is ApiKey and deed:
            rows = rows.filter(approved_at=None)
        return rows.values_list("pk", flat=True).first() or (uuid4() if isinstance(model._meta.pk, UUIDField) else 7)


def address(cast: Any, name: str, deed: str) -> str:
    given = {
        "user_id": cast.ada,
        "conversation_id": cast.conversation,
        "name": deed,
        "app_label": "accounts",
        "content_type_id": 1,
        "url": "x",
    }
    names = PATTERNS[name].pattern.regex.groupindex
    values = {one: given[one] if one in given else row_of(cast, name, deed) for one in names}
    return f"/admin/{values['app_label']}/" if name == "app_list" else reverse(f"admin:{name}", kwargs=values)


def form_of(cast: Any, name: str) -> dict[str, Any]:
    """What is sent: a form that does what the address is there for, and whatever Django's own pages take besides."""
    if name == "add_one_time_device":
        device = one_time_codes.new_device(cast.staff["boss"])
        app = TOTP(ring().unwrap(device.secret, secret_address(device)))
        return {"device": one_time_codes.form_token(device), "code": code_of(app), "password": "p"}
    forms: dict[str, dict[str, Any]] = {
        "accounts_apikey_add": {"name": "n", "scopes": ["read"], "days": "1"},
        "make_recovery_codes": {"password": "p"},
        "accounts_user_add": {"email": "puppet@x.org", **NEW},
        "accounts_user_change": {"email": "auditor@x.org", "is_active": "on", "is_superuser": "on", "groups": []},
        "auth_user_password_change": NEW,
        "password_change": {"old_password": "p", "new_password1": PASSWORD, "new_password2": PASSWORD},
        "accounts_user_do": {"reason": "r", "ticket": "t"},
        "accounts_accessgrant_ask": {"reason": "r", "ticket": "t", "hours": "1"},
    }
    return forms.get(name, {"post": "yes", "action": "delete_selected", "_selected_action": [str(cast.jonas)]})


def gravest() -> Any:
    """What the gravest deeds change, beside erasures: accounts and rights of staff, keys, what was approved."""
    with as_staff():
        staff = list(User.objects.order_by("pk").values_list("pk", "email", "password", "is_active", "is_superuser"))
        rights = [
            sorted(map(str, through.objects.values_list()))
            for through in (User.groups.through, User.user_permissions.through, Group.permissions.through)
        ]
        devices = {(each.pk, each.recovery and each.recovery.ciphertext) for each in OneTimeDevice.objects.all()}
    with as_support():
        approved = set(AccessGrant.objects.filter(approved=True).values_list("pk", flat=True))
        keys = set(ApiKey.objects.values_list("pk", "approved_at"))
        return staff, rights, devices, approved, keys


def erasures() -> set[Any]:
    """Who is to be erased, and when. That one is taken back is not grave."""
    with as_support():
        return set(Erasure.objects.values_list("pk", "due_at"))


def boss(cast: Any, *, aged: bool = True) -> Client:
    client = signed_in(cast.staff["boss"])
    return age(client) if aged else client


def sent(client: Client, cast: Any, place: tuple[str, str]) -> Any:
    give(cast.staff, "other", cast.ada, approve=None)
    other = Actor.staff(cast.staff["other"].pk, Origin())
    request_erasure(user_id=cast.ada, actor=other, reason="r", ticket="t")
    engineer = Actor.staff(cast.staff["engineer"].pk, Origin())
    make_key(name="n", scopes={"read"}, lasts=timedelta(days=1), actor=engineer)
    enroll(email="boss@x.org", actor=TESTER)
    before, erased = gravest(), erasures()
    url = address(cast, *place)
    client.get(url)
    answer = client.post(url, form_of(cast, place[0]))
    return answer, gravest() != before or not erasures() <= erased


def test_the_walk_meets_the_whole_admin(cast):
    assert len(PLACES) > 100
    assert set(PLACES) >= GRAVE


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_a_session_alone_does_nothing_grave(cast, place):
    with undone():
        answer, changed = sent(boss(cast), cast, place)
        assert not changed
        assert place not in GRAVE or 'password"' in answer.content.decode()


def test_control_without_the_question_it_does_and_the_walk_sees_each(cast, monkeypatch):
    for module in ("base", "sudo_mode"):
        monkeypatch.setattr(f"vibe.core.admin.{module}.password_is_recent", lambda _: True)
    found = set()
    for place in PLACES:
        with undone():
            found |= {place} if sent(boss(cast), cast, place)[1] else set()
    assert found == GRAVE


def test_the_views_whose_forms_do_not_ask_are_these():
    """Whoever adds to them says so here. Each action on a row says by itself whether it asks."""
    marked = {name for name, each in PATTERNS.items() if getattr(each.callback, "asks_for_no_password", False)}
    own = {"logout", "accounts_accessgrant_ask", "accounts_erasure_check", "retry_failed_jobs", "why_asked"}
    own |= {"accounts_webhookendpoint_make", "accounts_webhookendpoint_edit"}  # a webhook is told ids alone
    assert marked == own | {*(name for name in PATTERNS if name.endswith("_do"))}
    asking = {deed.name for its in admin.site._registry.values() for deed in getattr(its, "deeds", ()) if deed.sudo}
    assert asking == {"approve", "erase", "approve-erasure", "approve-key", "give-code"}


# The question


CHANGE = {"email": "auditor@x.org", "is_active": "on", "is_superuser": "on"}


def staff_page(cast: Any, name: str) -> str:
    return reverse("admin:accounts_user_change", args=[cast.staff[name].pk])


def is_superuser(cast: Any, name: str) -> bool:
    with as_staff():
        return User.objects.get(pk=cast.staff[name].pk).is_superuser


def confirmation(cast: Any, **other: str) -> dict[str, str]:
    return {"confirm-password": "p", "confirm-otp_token": fresh_code(cast.staff["boss"]), **other}


def test_what_was_typed_waits_for_the_password_and_is_then_done(cast):
    with undone():
        client, page = boss(cast), staff_page(cast, "auditor")
        shown = client.post(page, CHANGE).content.decode()
        assert QUESTION in shown
        for name, value in CHANGE.items():
            assert f'<input type="hidden" name="{name}" value="{value}">' in shown
        assert client.post(page, {**CHANGE, **confirmation(cast)}).status_code == 302
        assert is_superuser(cast, "auditor")


@pytest.mark.parametrize(
    "wrong",
    [{"confirm-password": ""}, {"confirm-password": "wrong"}, {"confirm-otp_token": ""}, {"confirm-otp_token": "000"}],
    ids=str,
)
def test_neither_a_wrong_password_nor_a_wrong_code_will_do(cast, wrong):
    with undone():
        client, page = boss(cast), staff_page(cast, "auditor")
        answer = client.post(page, {**CHANGE, **confirmation(cast), **wrong})
        assert answer.status_code == 200
        assert 'value="auditor@x.org"' in answer.content.decode(), "nothing is lost"
        assert client.post(page, CHANGE).status_code == 200
        assert not is_superuser(cast, "auditor")


def test_pages_that_are_there_for_it_alone_ask_before_they_are_filled_in(cast):
    with undone():
        client, page = boss(cast), reverse("admin:accounts_user_add")
        assert QUESTION in client.get(page).content.decode()
        answer = client.post(page, confirmation(cast))
        assert (answer.status_code, answer["Location"]) == (302, page)
        assert QUESTION not in client.get(page).content.decode()
        assert client.post(page, form_of(cast, "accounts_user_add")).status_code == 302


def test_new_passwords_are_not_written_into_the_page_that_asks(cast):
    with undone():
        page = reverse("admin:auth_user_password_change", args=[cast.staff["auditor"].pk])
        shown = boss(cast).post(page, NEW).content.decode()
        assert QUESTION in shown
        assert PASSWORD not in shown


def test_the_question_and_its_answer_are_recorded(cast):
    with undone():
        client, page = boss(cast), staff_page(cast, "auditor")
        client.post(page, CHANGE)
        client.post(page, {**CHANGE, **confirmation(cast)})
        with as_support():
            rows = AuditLog.objects.filter(action="POST admin:accounts_user_change").order_by("at")
            told = [(row.outcome, row.reason, row.details.get("confirmed")) for row in rows]
        assert told == [("refused", "password", None), ("ok", "", True)]


# The second pair of eyes


def made(cast: Any, maker: Client, name: str, *roles: str, superuser: bool = False) -> User:
    """An account of staff, made in the admin as a superuser makes one."""
    email = f"{name}@x.org"
    assert maker.post(reverse("admin:accounts_user_add"), {"email": email, **NEW}).status_code == 302
    with as_staff():
        user = User.objects.get(email=email)
        groups = list(Group.objects.filter(name__in=roles).values_list("pk", flat=True))
    form = {"email": email, "is_active": "on", "groups": groups, **({"is_superuser": "on"} if superuser else {})}
    assert maker.post(reverse("admin:accounts_user_change", args=[user.pk]), form).status_code == 302
    return user


def asked(user: User, person: UUID) -> UUID:
    actor = Actor.staff(user.pk, Origin())
    return grants.request_access(user_id=person, actor=actor, reason="r", ticket="t", duration=timedelta(hours=1))


def approves(user: User, grant: UUID) -> bool:
    """Whether a member of staff, just signed in, gets a request approved."""
    answer = signed_in(user).post(reverse("admin:accounts_accessgrant_do", args=[grant, "approve"]))
    with as_support():
        approved = AccessGrant.objects.get(pk=grant).approved
    assert answer.status_code == (302 if approved else 403)
    return bool(approved)


def by_puppet(cast):
    """Their own request, and an approver whom they made."""
    puppet = made(cast, boss(cast, aged=False), "puppet", "approver")
    return asked(cast.staff["boss"], cast.ada), puppet


def for_puppet(cast):
    """A request of an account that they made, which they approve themself."""
    puppet = made(cast, boss(cast, aged=False), "puppet", "support")
    return asked(puppet, cast.ada), cast.staff["boss"]


def by_puppet_of_puppet(cast):
    puppet = made(cast, boss(cast, aged=False), "puppet", superuser=True)
    return asked(cast.staff["boss"], cast.ada), made(cast, signed_in(puppet), "second", "approver")


def between_two_puppets(cast):
    maker = boss(cast, aged=False)
    return asked(made(cast, maker, "puppet", "support"), cast.ada), made(cast, maker, "second", "approver")


def by_colleague_whose_password_they_set(cast):
    page = reverse("admin:auth_user_password_change", args=[cast.staff["approver"].pk])
    assert boss(cast, aged=False).post(page, NEW).status_code == 302
    return asked(cast.staff["boss"], cast.ada), cast.staff["approver"]


WAYS = [by_puppet, for_puppet, by_puppet_of_puppet, between_two_puppets, by_colleague_whose_password_they_set]


@pytest.mark.parametrize("way", WAYS)
def test_nobody_approves_for_an_account_of_their_making(cast, way):
    with undone():
        grant, approver = way(cast)
        assert not approves(approver, grant)
        with as_support():
            row = AuditLog.objects.filter(action="POST admin:accounts_accessgrant_do").latest("at")
        assert (row.outcome, row.actor, row.resource) == ("refused", str(approver.pk), f"access_grants/{grant}")


@pytest.mark.parametrize("way", WAYS)
def test_control_without_that_rule_they_do(cast, way, settings):
    settings.GRANT_SEPARATION_DAYS = 0
    with undone():
        grant, approver = way(cast)
        assert approves(approver, grant)


def test_control_somebody_else_approves(cast):
    with undone():
        grant, _ = by_puppet(cast)
        assert approves(cast.staff["approver"], grant)


def test_after_those_days_they_may(cast, monkeypatch):
    with undone():
        _, puppet = by_puppet(cast)
        now = timezone.now()
        for days, joined in ((6.99, True), (7.01, False)):
            monkeypatch.setattr("django.utils.timezone.now", lambda then=now + timedelta(days=days): then)
            with as_support():
                assert are_joined(cast.staff["boss"].pk, puppet.pk) is joined
                assert are_joined(puppet.pk, cast.staff["boss"].pk) is joined


def page_of(cast: Any, **form: Any) -> Any:
    def change() -> None:
        page = {"email": "approver@x.org", "is_active": "on", "groups": approver_s_groups(cast), **form}
        page = {name: value for name, value in page.items() if value is not None}
        assert boss(cast, aged=False).post(staff_page(cast, "approver"), page).status_code == 302

    return change


def approver_s_groups(cast: Any) -> list[int]:
    with as_staff():
        return list(cast.staff["approver"].groups.values_list("pk", flat=True))


def new_code(cast: Any) -> None:
    enroll(email="approver@x.org", actor=Actor.staff(cast.staff["boss"].pk, Origin()))


GIFTS = {
    "email": lambda cast: page_of(cast, email="other@y.org")(),
    "active": lambda cast: page_of(cast, is_active=None)(),
    "superuser": lambda cast: page_of(cast, is_superuser="on")(),
    "roles": lambda cast: page_of(cast, groups=[])(),
    "password": by_colleague_whose_password_they_set,
    "code": new_code,
    "sign-in code": lambda cast: boss(cast, aged=False).post(
        reverse("admin:accounts_user_do", args=[cast.staff["approver"].pk, "give-code"])
    ),
}


@pytest.mark.parametrize("gift", GIFTS)
def test_whatever_lets_one_be_another_joins_them_and_is_recorded(cast, gift):
    with undone():
        giver, given = cast.staff["boss"].pk, cast.staff["approver"].pk
        with as_support():
            assert not are_joined(giver, given)
        GIFTS[gift](cast)
        with as_support():
            assert are_joined(giver, given)
            row = AuditLog.objects.get(action__in=CHANGES_OF_ACCOUNTS, actor=str(giver))
        assert (row.resource, row.outcome) == (f"users/{given}", "ok")


def test_a_colleague_whom_both_changed_does_not_join_them(cast):
    with undone():
        new_code(cast)
        enroll(email="approver@x.org", actor=Actor.staff(cast.staff["engineer"].pk, Origin()))
        with as_support():
            assert not are_joined(cast.staff["boss"].pk, cast.staff["engineer"].pk)
            assert are_joined(cast.staff["approver"].pk, cast.staff["engineer"].pk)


def test_a_page_saved_as_it_was_joins_nobody(cast):
    with undone():
        page_of(cast)()
        with as_support():
            assert not are_joined(cast.staff["boss"].pk, cast.staff["approver"].pk)


# Reading under a colleague's grant


def test_who_sets_the_password_of_somebody_with_a_grant_reads_nothing_under_it(cast):
    with undone():
        content = reverse("admin:person_content", args=[cast.ada])
        assert cast.reader.get(content).status_code == 200
        page = reverse("admin:auth_user_password_change", args=[cast.staff["reader"].pk])
        assert boss(cast, aged=False).post(page, NEW).status_code == 302
        assert signed_in(cast.staff["reader"]).get(content).status_code == 403


def test_control_without_that_rule_they_read(cast, monkeypatch):
    monkeypatch.setattr("accounts.grants.services.was_changed_by_another", lambda *_: False)
    with undone():
        page = reverse("admin:auth_user_password_change", args=[cast.staff["reader"].pk])
        assert boss(cast, aged=False).post(page, NEW).status_code == 302
        content = reverse("admin:person_content", args=[cast.ada])
        assert signed_in(cast.staff["reader"]).get(content).status_code == 200


def test_one_s_own_new_password_ends_no_grant_of_one_s_own(cast):
    with undone():
        client = signed_in(cast.staff["reader"])
        assert client.post(reverse("admin:password_change"), form_of(cast, "password_change")).status_code == 302
        with as_support():
            assert AuditLog.objects.get(action="staff.change").actor == str(cast.staff["reader"].pk)
        assert client.get(reverse("admin:person_content", args=[cast.ada])).status_code == 200


# One-time codes


@pytest.mark.parametrize("on", [False, True])
def test_nothing_is_approved_where_staff_sign_in_by_password_alone(cast, settings, on):
    settings.ONE_TIME_CODES = on
    with undone():
        give(cast.staff, "other", cast.ada, approve=False)  # refusing gives nobody anything
        if on:
            assert give(cast.staff, "other", cast.ada), "the control"
        else:
            with pytest.raises(Refused, match="ONE_TIME_CODES=on"):
                give(cast.staff, "other", cast.ada)


def test_not_even_in_a_team_of_one(cast, settings):
    settings.ONE_TIME_CODES, settings.GRANTS_ALLOW_SELF_APPROVAL = False, True
    alone = Actor.staff(cast.staff["boss"].pk, Origin())
    with undone():
        grant = asked(cast.staff["boss"], cast.ada)
        with pytest.raises(Refused, match="ONE_TIME_CODES=on"):
            grants.decide_request(grant_id=grant, actor=alone, approve=True)
