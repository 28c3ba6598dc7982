"""API keys that staff make in the admin: shown once, and good for nothing until a second person approves them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.api_keys import services as api_keys
from accounts.key_approvals import services as approving
from accounts.models import ApiKey, User
from accounts.staff.services import enroll
from accounts.webhooks.outbox import tell
from accounts.webhooks.services import endpoints
from audit.actors import Actor, Origin
from audit.models import AuditLog
from tests.admin_roles import ROLES, client_of, member
from tests.cast import TESTER
from tests.protections import unprotected
from tests.sessions import age
from vibe.core.admin.links import page_url
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_support
from vibe.core.errors import Refused

ADD = "/admin/accounts/apikey/add/"
FORM = {"name": "nightly import", "scopes": ["read", "write"], "days": "30"}


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ONE_TIME_CODES = True


@pytest.fixture
def staff(db: None) -> dict[str, User]:
    return {role: member(role) for role in ROLES}


def made(client: Client, **other: Any) -> str:
    """The key that the page shows; nothing where it made none."""
    found = re.findall(r"vibe_[\w.=-]{30,}", client.post(ADD, {**FORM, **other}).content.decode())
    return found[0] if found else ""


def row_of(credential: str) -> ApiKey:
    with as_support():
        return ApiKey.objects.only(*approving.KEYS_SHOWN).get(hint=credential[: api_keys.HINT])


def works(credential: str, person: UUID) -> bool:
    headers = {"Authorization": f"Bearer {credential}", "Vibe-Person": f"id:{person}"}
    answer = Client().get("/api/v1/me", headers=headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def do(user: User, key: ApiKey, deed: str) -> int:
    return client_of(user).post(reverse("admin:accounts_apikey_do", args=[key.pk, deed])).status_code


def trail(action: str) -> list[tuple[str, str]]:
    with as_support():
        return list(AuditLog.objects.filter(action=action).values_list("actor", "resource"))


def test_made_approved_used_and_revoked(staff: dict[str, User], ada: UUID) -> None:
    client = client_of(staff["engineer"])
    credential = made(client)
    key = row_of(credential)
    assert (key.name, key.scopes, key.made_by) == ("nightly import", ["read", "write"], staff["engineer"].pk)
    assert timedelta(days=29) < key.expires_at - timezone.now() < timedelta(days=30)
    page = client.get(page_url(ApiKey, key.pk)).content.decode()
    assert "Waits for approval" in page
    assert credential not in page
    assert not works(credential, ada)
    assert do(staff["approver"], key, "approve-key") == 302
    assert works(credential, ada)
    assert row_of(credential).approved_by == staff["approver"].pk
    assert do(staff["engineer"], key, "revoke") == 302
    assert not works(credential, ada)
    resource = f"api_keys/{key.pk}"
    assert trail("api-key.make") == [(str(staff["engineer"].pk), resource)]
    assert trail("api-key.approve") == [(str(staff["approver"].pk), resource)]
    assert trail("api-key.revoke") == [(str(staff["engineer"].pk), resource)]


def test_a_key_of_a_command_works_at_once(ada: UUID) -> None:
    _, credential = api_keys.make_api_key(name="n", scopes={"read"}, lasts=timedelta(days=1), actor=TESTER)
    assert works(credential, ada)


def test_for_one_person_and_one_companion(staff: dict[str, User], ada: UUID, jonas: UUID) -> None:
    credential = made(client_of(staff["engineer"]), person="email:ada@example.com", companion="nova")
    assert (row_of(credential).person, api_keys.companion_of(credential)) == (ada, "nova")
    do(staff["approver"], row_of(credential), "approve-key")
    assert works(credential, ada)
    headers = {"Authorization": f"Bearer {credential}", "Vibe-Person": f"id:{jonas}"}
    assert Client().get("/api/v1/me", headers=headers).status_code == 403


UNFIT = {
    "no name": {"name": ""},
    "no scope": {"scopes": []},
    "an unknown scope": {"scopes": ["admin"]},
    "for ever": {"days": "100000"},
    "for no day": {"days": "0"},
    "nobody": {"person": "uid:nobody"},
    "an id without its kind": {"person": str(uuid7())},
    "all people's for one": {"person": "email:ada@example.com", "scopes": ["people"]},
    "a long companion": {"companion": "n" * 101},
}


@pytest.mark.parametrize("what", UNFIT)
def test_an_unfit_form_makes_none_and_says_why(staff: dict[str, User], ada: UUID, what: str) -> None:
    answer = client_of(staff["engineer"]).post(ADD, {**FORM, **UNFIT[what]})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    with as_support():
        assert not ApiKey.objects.exists()


@pytest.mark.parametrize("role", ["support", "approver", "auditor", ""])
def test_other_roles_make_none(staff: dict[str, User], role: str) -> None:
    user = staff.get(role) or member(role)
    assert client_of(user).get(ADD).status_code == 403
    assert made(client_of(user)) == ""
    with pytest.raises(Refused):
        approving.make_key(name="n", scopes={"read"}, lasts=timedelta(days=1), actor=Actor.staff(user.pk, Origin()))


def test_a_session_alone_makes_none(staff: dict[str, User]) -> None:
    client = age(client_of(staff["engineer"]))
    assert 'name="confirm-password"' in client.get(ADD).content.decode()
    assert made(client) == ""
    assert made(client_of(staff["engineer"])), "the control"


# The second person


def by_maker(staff: dict[str, User], superuser: User) -> tuple[User, ApiKey]:
    return superuser, row_of(made(client_of(superuser)))


def by_another_role(staff: dict[str, User], superuser: User) -> tuple[User, ApiKey]:
    return staff["support"], row_of(made(client_of(superuser)))


def by_puppet(staff: dict[str, User], superuser: User) -> tuple[User, ApiKey]:
    """An approver whose account the maker could be."""
    enroll(email=str(staff["approver"].email), actor=Actor.staff(superuser.pk, Origin()))
    return staff["approver"], row_of(made(client_of(superuser)))


@pytest.mark.parametrize("way", [by_maker, by_another_role, by_puppet])
def test_these_do_not_approve_it(staff: dict[str, User], superuser: User, way: Callable[..., Any]) -> None:
    user, key = way(staff, superuser)
    assert do(user, key, "approve-key") == 403
    with as_support():
        assert ApiKey.objects.only("approved_at").get(pk=key.pk).approved_at is None


def test_control_without_the_rule_a_puppet_does(staff: dict[str, User], superuser: User, settings: Any) -> None:
    settings.GRANT_SEPARATION_DAYS = 0
    user, key = by_puppet(staff, superuser)
    assert do(user, key, "approve-key") == 302


def test_not_where_staff_sign_in_by_password_alone(staff: dict[str, User], settings: Any) -> None:
    key = row_of(made(client_of(staff["engineer"])))
    settings.ONE_TIME_CODES = False
    assert do(staff["approver"], key, "approve-key") == 403


def test_a_team_of_one_by_setting(superuser: User, ada: UUID, settings: Any) -> None:
    settings.GRANTS_ALLOW_SELF_APPROVAL = True
    credential = made(client_of(superuser))
    assert not works(credential, ada)
    assert do(superuser, row_of(credential), "approve-key") == 302
    assert works(credential, ada)
    with as_support():
        assert AuditLog.objects.get(action="api-key.approve").details["sole"] is True


def test_once_and_not_after_it_was_revoked(staff: dict[str, User]) -> None:
    key = row_of(made(client_of(staff["engineer"])))
    actor = Actor.staff(staff["approver"].pk, Origin())
    approving.approve_key(key_id=key.pk, actor=actor)
    with pytest.raises(approving.NotWaiting):
        approving.approve_key(key_id=key.pk, actor=actor)
    other = row_of(made(client_of(staff["engineer"])))
    assert do(staff["approver"], other, "revoke") == 302, "who decides may refuse"
    with pytest.raises(approving.NotWaiting):
        approving.approve_key(key_id=other.pk, actor=actor)


def test_the_database_holds_four_eyes(staff: dict[str, User]) -> None:
    key = row_of(made(client_of(staff["engineer"])))
    with unprotected("api_keys") as cursor:
        for by in (key.made_by, staff["approver"].pk):
            values = [by, key.pk]
            if by == key.made_by:
                with pytest.raises(IntegrityError), transaction.atomic():
                    cursor.execute("UPDATE api_keys SET approved_at = now(), approved_by = %s WHERE id = %s", values)
            else:
                cursor.execute("UPDATE api_keys SET approved_at = now(), approved_by = %s WHERE id = %s", values)


def test_a_waiting_key_s_webhooks_are_told_nothing(staff: dict[str, User], ada: UUID) -> None:
    key = row_of(made(client_of(staff["engineer"])))
    endpoints.make_webhook(api_key=key.pk, url="https://hooks.example.com/x", events=["story.built"], actor=TESTER)
    assert tell(event="story.built", user_id=ada, resource=uuid7()) == 0
    approving.approve_key(key_id=key.pk, actor=Actor.staff(staff["approver"].pk, Origin()))
    assert tell(event="story.built", user_id=ada, resource=uuid7()) == 1, "the control"


def test_approvers_find_it_on_their_home_page(staff: dict[str, User]) -> None:
    made(client_of(staff["engineer"]))
    shown = {role: "API keys wait for your approval" in home(user) for role, user in staff.items()}
    assert shown == {"approver": True, "support": False, "auditor": False, "engineer": False}
    assert "engineer@staff.example made the key nightly import" in home(staff["approver"])


def home(user: User) -> str:
    return client_of(user).get(reverse("admin:index")).content.decode()
