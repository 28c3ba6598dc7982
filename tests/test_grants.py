"""Access grants: asked, decided by another, ended by time or hand; and what staff can do, each thing confirmed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.grants import services as grants
from accounts.models import AccessGrant, User
from accounts.people.services.account_status import set_active
from accounts.staff.groups import ensure_groups
from audit.actors import Actor, Origin
from audit.models import AuditLog
from memories.models import Conversation
from stories.models import Story
from tests.building import build_all, build_conversation, converse
from tests.cast import TESTER
from tests.protections import unprotected
from tests.sessions import force_sign_in
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_staff, as_support, as_system, as_user
from vibe.core.errors import InputError, NotFound, Refused

CANARY = "xylocanary"
HOUR = timedelta(hours=1)
WHY = {"reason": "They asked for it.", "ticket": "T-1"}
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ONE_TIME_CODES = True


@pytest.fixture
def staff(db) -> Callable[..., User]:
    """Make a member of staff with roles: staff("lena", "support")."""
    ensure_groups()

    def make(name: str, *roles: str) -> User:
        user = User.objects.create_user(f"{name}@example.com", PASSWORD)
        with as_staff():
            user.groups.set(Group.objects.filter(name__in=roles))
        return user

    return make


@pytest.fixture
def lena(staff) -> User:
    """Of support."""
    return staff("lena", "support")


@pytest.fixture
def omar(staff) -> User:
    """An approver."""
    return staff("omar", "approver")


def actor(user: User) -> Actor:
    return Actor.staff(user.pk, Origin())


def ask(user: User, person: UUID, **other) -> UUID:
    asked = {"reason": "cannot find a memory", "ticket": "T-1", "duration": HOUR, **other}
    return grants.request_access(user_id=person, actor=actor(user), **asked)


def granted(user: User, by: User, person: UUID, **other) -> UUID:
    grant_id = ask(user, person, **other)
    grants.decide_request(grant_id=grant_id, actor=actor(by), approve=True)
    return grant_id


def client_of(user: User) -> Client:
    return force_sign_in(Client(), user)


def as_owner(statement: str, *values: object) -> None:
    """What no role of the application can do: with the walls and triggers of the table off."""
    with unprotected("access_grants", triggers="USER") as cursor:
        cursor.execute(statement, values)


def run_out(grant_id: UUID) -> None:
    """Let two days go by."""
    as_owner(
        "UPDATE access_grants SET requested_at = requested_at - interval '2 days', "
        "decided_at = decided_at - interval '2 days', expires_at = expires_at - interval '2 days' WHERE id = %s",
        grant_id,
    )


def in_force(user: User, person: UUID) -> AccessGrant | None:
    with as_staff():
        fresh = User.objects.get(pk=user.pk)
    with as_support():
        return grants.grant_in_force(person, fresh)


def trail(**matching) -> list[AuditLog]:
    with as_support():
        return list(AuditLog.objects.filter(**matching).order_by("at", "pk"))


@pytest.fixture
def said(ada, tell) -> UUID:
    """Ada with a conversation and its story."""
    tell(ada, "first", [("Ada", f"I met {CANARY} in Lisbon last May."), ("Vibe", f"Tell me of {CANARY}.")])
    with as_user(ada):
        conversation = Conversation.objects.of(ada).get()
    build_conversation(ada, conversation.pk)
    return conversation.pk


# The verbs


def test_asked_approved_and_in_force(lena, omar, ada):
    grant_id = ask(lena, ada)
    assert in_force(lena, ada) is None
    grants.decide_request(grant_id=grant_id, actor=actor(omar), approve=True)
    grant = in_force(lena, ada)
    assert (grant.pk, grant.sole, grant.decided_by) == (grant_id, False, omar.pk)
    assert grant.expires_at == grant.decided_at + HOUR
    assert [row.action for row in trail(resource=f"access_grants/{grant_id}")] == ["grant.ask", "grant.approve"]
    assert {row.subject for row in trail(resource=f"access_grants/{grant_id}")} == {ada}


def test_refused_is_not_in_force(lena, omar, ada):
    grants.decide_request(grant_id=ask(lena, ada), actor=actor(omar), approve=False)
    assert in_force(lena, ada) is None
    assert trail(action="grant.refuse")


def test_it_is_the_requester_s_alone_and_for_that_person_alone(lena, omar, staff, ada, jonas):
    granted(lena, omar, ada)
    assert in_force(omar, ada) is None
    assert in_force(staff("mia", "support"), ada) is None
    assert in_force(lena, jonas) is None


def test_it_ends_by_time(lena, omar, ada):
    grant_id = granted(lena, omar, ada)
    run_out(grant_id)
    assert in_force(lena, ada) is None


def test_it_is_not_in_force_while_the_clock_is_behind_its_decision(lena, omar, ada):
    """The clock was an hour ahead when it was decided, and is set back since: it does not last an hour longer."""
    grant_id = granted(lena, omar, ada)
    assert in_force(lena, ada)
    as_owner(
        "UPDATE access_grants SET decided_at = decided_at + interval '1 hour', "
        "expires_at = expires_at + interval '1 hour' WHERE id = %s",
        grant_id,
    )
    assert in_force(lena, ada) is None


@pytest.mark.parametrize("who", ["lena", "omar"])
def test_it_ends_by_hand(request, lena, omar, ada, who):
    grant_id = granted(lena, omar, ada)
    grants.end_grant(grant_id=grant_id, actor=actor(request.getfixturevalue(who)))
    assert in_force(lena, ada) is None
    assert trail(action="grant.end")
    with pytest.raises(grants.NotOpen):
        grants.end_grant(grant_id=grant_id, actor=actor(lena))


def test_it_ends_with_the_role_and_with_the_account(lena, omar, ada):
    granted(lena, omar, ada)
    with as_staff():
        lena.groups.clear()
    assert in_force(lena, ada) is None
    with as_staff():
        lena.groups.set(Group.objects.filter(name="support"))
    assert in_force(lena, ada)
    with as_staff():
        User.objects.filter(pk=lena.pk).update(is_active=False)
    assert in_force(lena, ada) is None


def test_nobody_approves_their_own(staff, ada):
    both = staff("kim", "support", "approver")
    grant_id = ask(both, ada)
    for approve in (True, False):
        with pytest.raises(Refused):
            grants.decide_request(grant_id=grant_id, actor=actor(both), approve=approve)
    assert in_force(both, ada) is None


def test_not_even_a_superuser(superuser, ada):
    grant_id = ask(superuser, ada)
    with pytest.raises(Refused):
        grants.decide_request(grant_id=grant_id, actor=actor(superuser), approve=True)


def test_a_team_of_one_by_setting_and_the_trail_says_so(settings, staff, ada):
    settings.GRANTS_ALLOW_SELF_APPROVAL = True
    both = staff("kim", "support", "approver")
    grant_id = granted(both, both, ada)
    assert in_force(both, ada).sole
    assert trail(action="grant.approve")[0].details["sole"] is True
    client_of(both).get(reverse("admin:person_content", args=[ada]))
    assert trail(action="content.read")[0].details == {"grant": str(grant_id), "ticket": "T-1", "sole": True, "rows": 0}


def test_support_does_not_decide_and_approvers_do_not_ask(lena, omar, staff, ada):
    with pytest.raises(Refused):
        grants.decide_request(grant_id=ask(lena, ada), actor=actor(staff("mia", "support")), approve=True)
    with pytest.raises(Refused):
        ask(omar, ada)


def test_others_do_not_end_it(lena, omar, staff, ada):
    grant_id = granted(lena, omar, ada)
    with pytest.raises(Refused):
        grants.end_grant(grant_id=grant_id, actor=actor(staff("mia", "support")))


@pytest.mark.parametrize("who", ["person", "system", "nobody"])
def test_only_staff_have_to_do_with_it(ada, who):
    one = {"person": Actor.person(ada, Origin()), "system": Actor.system("x"), "nobody": Actor.staff(uuid7(), Origin())}
    with pytest.raises(Refused):
        grants.request_access(user_id=ada, actor=one[who], reason="r", ticket="t", duration=HOUR)


def test_decided_once(lena, omar, ada):
    grant_id = granted(lena, omar, ada)
    with pytest.raises(grants.NotOpen):
        grants.decide_request(grant_id=grant_id, actor=actor(omar), approve=False)


def test_a_withdrawn_request_is_not_approved(lena, omar, ada):
    grant_id = ask(lena, ada)
    grants.end_grant(grant_id=grant_id, actor=actor(lena))
    with pytest.raises(grants.NotOpen):
        grants.decide_request(grant_id=grant_id, actor=actor(omar), approve=True)


@pytest.mark.parametrize(
    "asked", [{"reason": " "}, {"ticket": ""}, {"duration": timedelta(0)}, {"duration": timedelta(hours=25)}]
)
def test_what_is_asked_for_has_bounds(lena, ada, asked):
    with pytest.raises(InputError):
        ask(lena, ada, **asked)


def test_one_request_at_a_time(lena, omar, ada):
    granted(lena, omar, ada)
    with pytest.raises(InputError):
        ask(lena, ada)


def test_there_are_no_grants_for_staff_or_nobody(lena, omar):
    for whom in (omar.pk, uuid7()):
        with pytest.raises(NotFound):
            ask(lena, whom)


def test_the_person_sees_who_asked_and_who_read(lena, omar, ada, jonas, said):
    grant_id = granted(lena, omar, ada)
    client_of(lena).get(reverse("admin:person_content", args=[ada]))
    with as_user(ada):
        assert AccessGrant.objects.get().pk == grant_id
        seen = AuditLog.objects.get(action="content.read")
        assert (seen.actor, seen.subject, seen.reason) == (str(lena.pk), ada, "cannot find a memory")
    with as_user(jonas):
        assert not AccessGrant.objects.exists()
        assert not AuditLog.objects.filter(action="content.read").exists()


# What the database holds, whatever the code does


UNDECIDED = {"reason": "r", "ticket": "t", "duration": HOUR}


@pytest.mark.parametrize(
    "born",
    [
        {"approved": True},
        {"sole": True},
        {"ended_at": "now"},
        {"expires_at": "now"},
        {"decided_by": "me"},
        {"reason": ""},
        {"ticket": ""},
        {"duration": timedelta(days=8)},
        {"duration": timedelta(0)},
    ],
    ids=str,
)
def test_a_grant_is_born_undecided(lena, ada, born):
    from django.utils import timezone

    values = {"now": timezone.now(), "me": lena.pk}
    row = {**UNDECIDED, **{name: values.get(value, value) for name, value in born.items()}}
    with pytest.raises(IntegrityError), as_support():
        AccessGrant.objects.create(user_id=ada, requested_by=lena.pk, **row)
    with as_support():  # the control: without it, it is born
        AccessGrant.objects.create(user_id=ada, requested_by=lena.pk, **UNDECIDED)


CHANGES = {
    "approved by who asked": "decided_by = requested_by, decided_at = now(), approved = true, expires_at = now()",
    "approved for longer": "decided_by = gen_random_uuid(), decided_at = now(), approved = true, "
    "expires_at = now() + interval '2 hours'",
    "approved without an end": "decided_by = gen_random_uuid(), decided_at = now(), approved = true",
    "approved by nobody": "approved = true, decided_at = now(), expires_at = now()",
    "approved later": "decided_by = gen_random_uuid(), decided_at = now() + interval '1 day', approved = true, "
    "expires_at = now() + interval '1 day'",
    "sole, by another": "decided_by = gen_random_uuid(), decided_at = now(), approved = true, sole = true, "
    "expires_at = now()",
    "ended by nobody": "ended_at = now()",
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_holds_four_eyes(lena, ada, change):
    grant_id = ask(lena, ada)
    with pytest.raises(IntegrityError), as_support(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE access_grants SET {CHANGES[change]} WHERE id = %s", [grant_id])
    with as_support(), connection.cursor() as cursor:  # the control: another one, for as long as asked
        cursor.execute(
            "UPDATE access_grants SET decided_by = gen_random_uuid(), decided_at = now(), approved = true, "
            "expires_at = now() + interval '1 hour' WHERE id = %s",
            [grant_id],
        )
        assert cursor.rowcount == 1


LATER = {
    "decided again": "decided_at = now()",
    "made longer": "expires_at = expires_at + interval '1 minute', decided_at = decided_at + interval '1 minute'",
    "handed on": "requested_by = gen_random_uuid()",
    "moved to another person": "user_id = gen_random_uuid()",
    "another reason": "reason = 'other'",
    "longer duration": "duration = duration * 2",
}


@pytest.mark.parametrize("change", LATER)
def test_a_grant_moves_forward_only(lena, omar, ada, change):
    grant_id = granted(lena, omar, ada)
    with pytest.raises(DatabaseError), as_support(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE access_grants SET {LATER[change]} WHERE id = %s", [grant_id])


def test_what_has_ended_is_not_opened_again(lena, omar, ada):
    grant_id = granted(lena, omar, ada)
    grants.end_grant(grant_id=grant_id, actor=actor(omar))
    with pytest.raises(IntegrityError), as_support(), connection.cursor() as cursor:
        cursor.execute("UPDATE access_grants SET ended_at = NULL, ended_by = NULL WHERE id = %s", [grant_id])
    as_owner("UPDATE access_grants SET ended_at = NULL, ended_by = NULL WHERE id = %s", grant_id)
    assert in_force(lena, ada), "the control: with the trigger off it opens again"


# In the admin


def test_from_asking_to_reading_to_the_end(lena, omar, ada, said):
    support, approver = client_of(lena), client_of(omar)
    asking = reverse("admin:accounts_accessgrant_ask", args=[ada])
    assert asking in support.get(page_url(User, ada)).content.decode()
    assert support.get(asking).status_code == 200
    answer = support.post(asking, {"reason": "lost memory", "ticket": "T-7", "hours": "4"})
    assert answer.status_code == 302
    grant = page_url(AccessGrant, AccessGrantOf(ada).pk)
    assert answer["Location"] == grant
    do = {name: grant.replace("/change/", f"/do/{name}/") for name in ("approve", "refuse", "end")}
    assert do["approve"] not in support.get(grant).content.decode()
    assert do["approve"] in approver.get(grant).content.decode()
    assert "T-7" in approver.get(do["approve"]).content.decode()
    content = reverse("admin:person_content", args=[ada])
    assert support.get(content).status_code == 403
    assert approver.post(do["approve"]).status_code == 302
    assert content in support.get(grant).content.decode()
    titles = support.get(content)
    assert "About first" in titles.content.decode()
    assert "no-store" in titles["Cache-Control"]
    reading = support.get(reverse("admin:conversation_content", args=[ada, said]))
    assert reading.content.decode().count(CANARY) >= 2
    assert approver.get(content).status_code == 403
    assert support.post(do["end"]).status_code == 302
    assert support.get(content).status_code == 403
    with as_support():
        rows = AuditLog.objects.filter(resource=f"conversations/{said}/content")
        row = rows.get()
        assert (row.action, row.subject, row.outcome) == ("content.read", ada, "ok")
        assert row.details == {"grant": str(AccessGrantOf(ada).pk), "ticket": "T-7", "rows": 2}
    refused = trail(action="admin:person_content", outcome="refused")
    assert [row.subject for row in refused] == [ada] * 3


def AccessGrantOf(person: UUID) -> AccessGrant:  # noqa: N802
    with as_support():
        return AccessGrant.objects.get(user_id=person)


def test_a_conversation_of_somebody_else_is_not_there(lena, omar, ada, jonas, said):
    granted(lena, omar, jonas)
    answer = client_of(lena).get(reverse("admin:conversation_content", args=[jonas, said]))
    assert answer.status_code == 404
    assert CANARY not in answer.content.decode()


def test_facts_are_read_under_a_grant_alone(lena, omar, ada, jonas):
    converse(ada, [("user", "I live in Lisbon.")])
    facts = reverse("admin:person_facts", args=[ada])
    assert client_of(lena).get(facts).status_code == 403
    granted(lena, omar, jonas)
    assert client_of(lena).get(facts).status_code == 403, "one for somebody else"
    assert "Lisbon" not in client_of(lena).get(reverse("admin:person_facts", args=[jonas])).content.decode()
    granted(lena, omar, ada)
    page = client_of(lena).get(facts).content.decode()
    assert "home" in page and "Lisbon" in page
    assert facts in client_of(lena).get(reverse("admin:person_content", args=[ada])).content.decode()
    with as_support():
        row = AuditLog.objects.filter(resource=f"users/{ada}/facts", outcome="ok").get()
    assert (row.action, row.subject, row.details["rows"]) == ("content.read", ada, 1)


@pytest.mark.parametrize("number", ["0", "-1", "x", "2", "99999999999999", "٣"])
def test_any_page_number_is_answered(lena, omar, ada, said, number):
    granted(lena, omar, ada)
    assert client_of(lena).get(reverse("admin:person_content", args=[ada]), {"page": number}).status_code == 200


def test_nothing_is_shown_when_the_row_cannot_be_written(lena, omar, ada, said, monkeypatch):
    from vibe.core.errors import AuditUnavailable

    granted(lena, omar, ada)
    client = client_of(lena)
    url = reverse("admin:conversation_content", args=[ada, said])
    assert CANARY in client.get(url).content.decode(), "the control"

    def unavailable(**_):
        raise AuditUnavailable()

    monkeypatch.setattr("audit.middleware.record", unavailable)
    answer = client.get(url)
    assert answer.status_code == 503
    assert CANARY not in answer.content.decode()


def test_an_unfit_form_asks_again(lena, ada):
    asking = reverse("admin:accounts_accessgrant_ask", args=[ada])
    for form in ({}, {"reason": "r", "ticket": "t", "hours": "25"}, {"reason": "", "ticket": "t", "hours": "1"}):
        assert client_of(lena).post(asking, form).status_code == 200
    with as_support():
        assert not AccessGrant.objects.exists()


# Doing


def do(model_name: str, pk: object, name: str) -> str:
    return reverse(f"admin:{model_name}_do", args=[pk, name])


def test_a_person_is_deactivated_and_reactivated(lena, ada):
    client = client_of(lena)
    for name, active in (("deactivate", False), ("reactivate", True)):
        url = do("accounts_user", ada, name)
        assert client.get(url).status_code == 200
        with as_support():
            assert User.objects.only("is_active").get(pk=ada).is_active is not active, "asking does nothing"
        assert client.post(url, WHY).status_code == 302
        with as_support():
            assert User.objects.only("is_active").get(pk=ada).is_active is active
        assert trail(action=f"person.{name}")[0].subject == ada
        assert client.post(url).status_code == 409, "sent twice, done once"


def test_staff_are_not_deactivated_as_people_are(lena, superuser):
    assert client_of(lena).post(do("accounts_user", superuser.pk, "deactivate")).status_code == 409
    with pytest.raises(NotFound):
        set_active(user_id=superuser.pk, active=False, actor=TESTER)


def test_a_conversation_is_archived_and_back(lena, ada, said):
    client = client_of(lena)
    for name, archived in (("archive", True), ("unarchive", False)):
        assert client.post(do("memories_conversation", said, name)).status_code == 302
        with as_support():
            assert Conversation.objects.only("is_archived").get(pk=said).is_archived is archived
        assert trail(action=f"conversation.{name}")[0].subject == ada


def test_a_story_is_told_again(lena, ada, said):
    build_all(ada)
    with as_user(ada):
        Story.objects.of(ada).update(is_open=False, due_at=None)
    with as_support():
        story = Story.objects.only("pk").get()
    assert not build_conversation(ada, said), "the control: nothing has changed"
    assert client_of(lena).post(do("stories_story", story.pk, "rebuild")).status_code == 302
    assert trail(action="story.rebuild")[0].subject == ada
    assert build_conversation(ada, said)


def test_a_failed_job_is_tried_again(staff, ada, said):
    client = client_of(staff("eva", "engineer"))
    with as_system():
        job = ProcrastinateJob.objects.order_by("-pk").first()
    url = do("procrastinate_procrastinatejob", job.pk, "retry")
    assert client.post(url).status_code == 409, "it has not failed"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = 5 WHERE id = %s", [job.pk])
    assert client.post(url, WHY).status_code == 302
    with as_system():
        assert ProcrastinateJob.objects.get(pk=job.pk).status == "todo"
    assert trail(action="job.retry")[0].subject == ada


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("role", ["auditor", "approver", "none"])
def test_deeds_take_a_right(staff, ada, said, role, method):
    client = client_of(staff("noa", role))
    for url in (do("accounts_user", ada, "deactivate"), do("memories_conversation", said, "archive")):
        assert getattr(client, method)(url).status_code == 403


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_only_a_form_does_it(lena, ada, method):
    assert getattr(client_of(lena), method)(do("accounts_user", ada, "deactivate")).status_code == 405


def test_a_form_from_elsewhere_does_nothing(lena, ada):
    client = force_sign_in(Client(enforce_csrf_checks=True), lena)
    assert client.post(do("accounts_user", ada, "deactivate")).status_code == 403
    with as_support():
        assert User.objects.only("is_active").get(pk=ada).is_active


@pytest.mark.parametrize("name", ["nothing", "delete"])
def test_there_are_no_other_deeds(lena, ada, name):
    assert client_of(lena).post(do("accounts_user", ada, name)).status_code == 404


def test_a_refused_decision_changes_nothing(lena, ada, staff):
    both = staff("kim", "support", "approver")
    grant_id = ask(both, ada)
    with transaction.atomic():
        assert client_of(both).post(do("accounts_accessgrant", grant_id, "approve")).status_code == 403
    with as_support():
        assert AccessGrant.objects.get().approved is None


def buttons(client: Client, grant_id: UUID) -> set[str]:
    return {button.title for button in client.get(page_url(AccessGrant, grant_id)).context["buttons"]}


def badge(client: Client) -> str:
    """What stands beside Access grants in the sidebar, on any page of the admin."""
    groups = client.get(reverse("admin:accounts_user_changelist")).context["sidebar_navigation"]
    return next(
        str(item.get("badge", "")) for group in groups for item in group["items"] if item["title"] == "Access grants"
    )


def test_who_asked_withdraws_and_approvers_see_on_every_page_what_waits(lena, omar, ada):
    support, approver = client_of(lena), client_of(omar)
    assert badge(approver) == ""
    grant_id = ask(lena, ada)
    assert (badge(approver), badge(support)) == ("1", ""), "only who decides is told"
    assert "Withdraw request" in buttons(support, grant_id)
    assert "Withdraw request" not in buttons(approver, grant_id), "an approver refuses"
    withdraw = reverse("admin:accounts_accessgrant_do", args=[grant_id, "withdraw"])
    assert approver.post(withdraw).status_code == 403
    assert support.post(withdraw).status_code == 302
    assert badge(approver) == ""
    assert buttons(support, grant_id) == set()


def test_a_sole_approver_is_a_column_and_a_filter(lena, omar, ada):
    ask(lena, ada)
    approver = client_of(omar)
    assert "Sole approver" in approver.get(list_url(AccessGrant)).content.decode()
    assert len(approver.get(list_url(AccessGrant, sole__exact="0")).context["cl"].result_list) == 1
    assert len(approver.get(list_url(AccessGrant, sole__exact="1")).context["cl"].result_list) == 0
