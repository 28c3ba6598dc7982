"""Confirmed actions: nothing is done by looking, by another site's form, twice, or by who may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models.functions import Now
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.api_keys.services import make_api_key
from accounts.erasure.services import request_erasure
from accounts.grants import services as grants
from accounts.key_approvals.services import make_key
from accounts.models import AccessGrant, ApiKey, Erasure, Export, OneTimeDevice, User, WebhookDelivery, WebhookEndpoint
from accounts.models.api_keys import SCOPES
from accounts.models.webhooks import STORY_BUILT
from accounts.people.services.account_status import set_restricted
from accounts.webhooks.services.endpoints import change_webhook, make_webhook
from audit.actors import Actor, Origin
from audit.models import AuditLog
from memories.models import Conversation
from stories.models import Story
from tests.attacks.admin.stage import give, signed_in, undone
from tests.cast import TESTER
from tests.sessions import age, fresh_code
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.confirmed_actions import ConfirmedAction
from vibe.core.db.scopes import as_staff, as_support, as_system

WHY = {"reason": "they asked for it", "ticket": "T-9"}


@dataclass
class Scene:
    """One deed that can be done now: where, by whom, by whom not, what it changes and what the trail says of it."""

    model: type
    pk: Any
    deed: str
    doer: str
    stranger: str
    state: Callable[[], Any]
    action: str
    form: dict[str, str] = field(default_factory=dict)
    answer: int = 302  # 200 where something is shown once

    @property
    def url(self) -> str:
        return reverse(
            f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_do", args=[self.pk, self.deed]
        )


def column(model: type, pk: Any, name: str) -> Callable[[], Any]:
    def read() -> Any:
        with as_support():
            return model._default_manager.values_list(name, flat=True).get(pk=pk)

    return read


def person(cast, deed):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE vibe_support")
        cursor.execute("UPDATE users SET is_active = %s WHERE id = %s", [deed == "deactivate", cast.jonas])
        cursor.execute("SET LOCAL ROLE none")
    state = column(User, cast.jonas, "is_active")
    return Scene(User, cast.jonas, deed, "other", "auditor", state, f"person.{deed}", WHY)


def restriction(cast, deed):
    if deed == "lift-restriction":
        set_restricted(user_id=cast.jonas, restricted=True, actor=TESTER, **WHY)
    state = column(User, cast.jonas, "restricted_at")
    return Scene(User, cast.jonas, deed, "other", "auditor", state, f"person.{deed}", WHY)


def tokens(cast, deed):
    with as_support():
        User.objects.filter(pk=cast.jonas).update(is_active=True)
    state = column(User, cast.jonas, "tokens_valid_since")
    return Scene(User, cast.jonas, deed, "other", "auditor", state, "person.sign-out")


def counted(model: type, name: str, **matching: Any) -> Callable[[], Any]:
    def count() -> list[Any]:
        with as_support():
            return list(model._default_manager.filter(**matching).values_list(name, flat=True))

    return count


def export(cast, deed):
    state = counted(Export, "state", user_id=cast.ada)
    return Scene(User, cast.ada, deed, "other", "auditor", state, "export.request", WHY)


def erase(cast, deed):
    state = counted(Erasure, "due_at", person=cast.jonas)
    return Scene(User, cast.jonas, deed, "other", "auditor", state, "erasure.request", WHY)


def decide_erasure(cast, deed):
    actor = Actor.staff(cast.staff["other"].pk, Origin())
    erasure = request_erasure(user_id=cast.jonas, actor=actor, **WHY)
    state, action = counted(Erasure, "due_at", person=cast.jonas), deed.removesuffix("-erasure")
    return Scene(Erasure, erasure.pk, deed, "approver", "other", state, f"erasure.{action}")


def call_off(cast, deed):
    erasure = request_erasure(user_id=cast.jonas, actor=TESTER)
    state = counted(Erasure, "due_at", person=cast.jonas)
    return Scene(Erasure, erasure.pk, deed, "other", "approver", state, "erasure.cancel")


def api_key(cast, deed):
    pk, _ = make_api_key(name="tests", scopes=sorted(SCOPES)[:1], lasts=timedelta(days=1), actor=TESTER)
    return Scene(ApiKey, pk, deed, "engineer", "other", column(ApiKey, pk, "revoked_at"), "api-key.revoke")


def webhook(cast, deed):
    key, _ = make_api_key(name="tests", scopes=sorted(SCOPES)[:1], lasts=timedelta(days=1), actor=TESTER)
    hook, _ = make_webhook(api_key=key, url="https://203.0.113.7/", events=[STORY_BUILT], actor=TESTER)
    if deed == "enable":
        change_webhook(webhook_id=hook.pk, active=False, actor=TESTER)
    state = counted(WebhookEndpoint, "old_secret_until" if deed == "rotate" else "disabled_at", pk=hook.pk)
    shown = 200 if deed == "rotate" else 302
    action = "webhook.change" if deed == "enable" else f"webhook.{deed}"
    return Scene(WebhookEndpoint, hook.pk, deed, "engineer", "other", state, action, answer=shown)


def delivery(cast, deed):
    hook = webhook(cast, deed)
    with as_system():
        given_up = {"state": WebhookDelivery.State.GIVEN_UP, "next_try_at": None, "finished_at": Now()}
        row = WebhookDelivery.objects.create(
            endpoint=hook.pk, event=STORY_BUILT, person=cast.ada, resource=cast.ada, **given_up
        )
    state = column(WebhookDelivery, row.pk, "state")
    return Scene(WebhookDelivery, row.pk, deed, "engineer", "other", state, "webhook.redeliver")


def waiting_key(cast, deed):
    engineer = Actor.staff(cast.staff["engineer"].pk, Origin())
    pk, _ = make_key(name="tests", scopes={"read"}, lasts=timedelta(days=1), actor=engineer)
    return Scene(ApiKey, pk, deed, "approver", "other", column(ApiKey, pk, "approved_at"), "api-key.approve")


def sign_in_code(cast, deed):
    pk = cast.staff["auditor"].pk

    def device():
        with as_staff():
            return list(OneTimeDevice.objects.filter(staff_id=pk).values_list("pk", flat=True))

    return Scene(User, pk, deed, "boss", "other", device, "staff.one_time_code", answer=200)


def conversation(cast, deed):
    with as_support():
        Conversation.objects.filter(pk=cast.conversation).update(is_archived=deed == "unarchive")
    state = column(Conversation, cast.conversation, "is_archived")
    return Scene(Conversation, cast.conversation, deed, "other", "approver", state, f"conversation.{deed}")


def story(cast, deed):
    with as_support():
        pk = Story.objects.values_list("pk", flat=True).first()
    return Scene(Story, pk, deed, "other", "auditor", column(Story, pk, "due_at"), "story.rebuild")


def job(cast, deed):
    with as_system():
        pk = ProcrastinateJob.objects.values_list("pk", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = 5 WHERE id = %s", [pk])
    state = column(ProcrastinateJob, pk, "status")
    return Scene(ProcrastinateJob, pk, deed, "engineer", "approver", state, "job.retry")


def grant(cast, deed):
    pk = give(cast.staff, "boss", cast.ada, approve=True if deed == "end" else None)

    def standing():
        with as_support():
            return AccessGrant.objects.values_list("approved", "ended_at").get(pk=pk)

    doer, done = ("boss", "end") if deed == "withdraw" else ("approver", deed)
    return Scene(AccessGrant, pk, deed, doer, "other", standing, f"grant.{done}")


SCENES = {
    "deactivate": person,
    "reactivate": person,
    "sign-out": tokens,
    "restrict": restriction,
    "lift-restriction": restriction,
    "export": export,
    "erase": erase,
    "approve-erasure": decide_erasure,
    "refuse-erasure": decide_erasure,
    "call-off": call_off,
    "revoke": api_key,
    "approve-key": waiting_key,
    "give-code": sign_in_code,
    "rotate": webhook,
    "disable": webhook,
    "enable": webhook,
    "delete": webhook,
    "redeliver": delivery,
    "archive": conversation,
    "unarchive": conversation,
    "rebuild": story,
    "retry": job,
    "approve": grant,
    "refuse": grant,
    "withdraw": grant,
    "end": grant,
}

GONE_AFTER = ("call-off", "refuse-erasure", "delete")  # the row
AS_OFTEN_AS_ONE_LIKES = ("give-code", "rebuild", "sign-out", "export", "rotate")


@pytest.fixture(params=SCENES)
def scene(request, cast):
    with undone():
        yield SCENES[request.param](cast, request.param)


def doer(cast, scene, **how):
    return signed_in(cast.staff[scene.doer], **how)


def trail(scene):
    with as_support():
        return AuditLog.objects.filter(action=scene.action, outcome="ok", actor_kind="staff").count()


def test_every_deed_of_the_product_is_tried_here():
    known = {deed.name for one in admin.site._registry.values() if isinstance(one, MetadataAdmin) for deed in one.deeds}
    assert known == set(SCENES)


def test_control_the_form_does_it_and_the_trail_says_so(cast, scene):
    """Of all of this: sent as it is meant, it is done."""
    before, told = scene.state(), trail(scene)
    assert doer(cast, scene).post(scene.url, scene.form).status_code == scene.answer
    assert scene.state() != before
    assert trail(scene) == told + 1


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
def test_looking_does_nothing(cast, scene, method):
    before, told = scene.state(), trail(scene)
    answer = getattr(doer(cast, scene), method)(scene.url)
    assert answer.status_code == (200 if method in ("get", "head") else 405)
    assert (scene.state(), trail(scene)) == (before, told)


def test_control_a_deed_done_without_the_question_would_be_seen(cast, scene):
    """What a careless page would do while it is looked at."""
    before, its_admin = scene.state(), admin.site._registry[scene.model]
    request = doer(cast, scene).get(scene.url).wsgi_request
    deed = next(each for each in its_admin.deeds if each.name == scene.deed)
    with as_support():
        deed.run(request, its_admin.get_object(request, str(scene.pk)), **scene.form)
    assert scene.state() != before


def test_a_form_of_another_site_does_nothing(cast, scene):
    client = doer(cast, scene, enforce_csrf_checks=True)
    before, told = scene.state(), trail(scene)
    token = client.get(scene.url).cookies["csrftoken"].value
    sent = (
        client.post(scene.url, scene.form),
        client.post(scene.url, {"csrfmiddlewaretoken": "x" * 64}),
        client.post(
            scene.url, {"csrfmiddlewaretoken": token, **scene.form}, headers={"origin": "https://elsewhere.example"}
        ),
    )
    assert [answer.status_code for answer in sent] == [403, 403, 403]
    assert (scene.state(), trail(scene)) == (before, told)


def test_control_with_its_own_token_it_does(cast, scene):
    client = doer(cast, scene, enforce_csrf_checks=True)
    before = scene.state()
    token = client.get(scene.url).cookies["csrftoken"].value
    assert client.post(scene.url, {"csrfmiddlewaretoken": token, **scene.form}).status_code == scene.answer
    assert scene.state() != before


def test_a_form_sent_twice_does_it_once(cast, scene):
    client, told = doer(cast, scene), trail(scene)
    client.post(scene.url, scene.form)
    after = scene.state()
    if scene.deed in AS_OFTEN_AS_ONE_LIKES:
        pytest.skip("may be asked for as often as one likes")
    assert client.post(scene.url, scene.form).status_code == (404 if scene.deed in GONE_AFTER else 409)
    assert (scene.state(), trail(scene)) == (after, told + 1)


def test_control_without_the_look_at_its_state_a_verb_still_does_it_once_or_refuses(cast, scene, monkeypatch):
    """The page's check off: what the verb and the database hold by themselves."""
    monkeypatch.setattr(ConfirmedAction, "__getattribute__", always("possible"))
    client, told = doer(cast, scene), trail(scene)
    client.post(scene.url, scene.form)
    after = scene.state()
    if scene.deed in AS_OFTEN_AS_ONE_LIKES:
        pytest.skip("may be asked for as often as one likes")
    assert client.post(scene.url, scene.form).status_code in (200, 302, 400, 404, 409)
    assert scene.state() == after
    assert trail(scene) == told + (2 if scene.deed == "erase" else 1), "asking again is recorded, and changes nothing"


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_not_does_not(cast, scene, method):
    before, told = scene.state(), trail(scene)
    answer = getattr(signed_in(cast.staff[scene.stranger]), method)(scene.url)
    assert answer.status_code == 403
    assert (scene.state(), trail(scene)) == (before, told)


def test_control_without_the_page_s_check_the_verb_or_nobody_stops_it(cast, scene, monkeypatch):
    monkeypatch.setattr(ConfirmedAction, "__getattribute__", always("allowed"))
    before = scene.state()
    answer = signed_in(cast.staff[scene.stranger]).post(scene.url, scene.form)
    if scene.model is AccessGrant:
        assert (answer.status_code, scene.state()) == (403, before), "grants check again, in the verb"
    elif scene.deed.endswith("-erasure") or scene.deed == "give-code":
        assert (answer.status_code, scene.state()) == (403, before), "and so do these"
    elif scene.model in (ProcrastinateJob, ApiKey, WebhookEndpoint, WebhookDelivery):
        assert answer.status_code == 403, "and this one may not even look at them"
    else:
        assert scene.state() != before


def always(part: str) -> Any:
    """Deeds whose check of one kind says yes to everything."""

    def read(self: Any, name: str) -> Any:
        return (lambda *_: True) if name == part else object.__getattribute__(self, name)

    return read


def test_nobody_who_is_not_signed_in_does(scene, client):
    before = scene.state()
    answer = client.post(scene.url, scene.form)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("admin:login"))
    assert scene.state() == before


# The password again


@pytest.fixture(params=["approve", "erase", "approve-erasure", "approve-key", "give-code"])
def grave(request, cast):
    with undone():
        yield SCENES[request.param](cast, request.param)


def test_the_password_is_asked_for_once_it_is_a_while_ago(cast, grave):
    client = doer(cast, grave)
    age(client)
    before = grave.state()
    code = {"otp_token": fresh_code(cast.staff[grave.doer])}
    for form in ({}, {"password": ""}, {"password": "wrong", **code}, {"password": "p" * 5000}, {"password": "p"}):
        assert client.post(grave.url, {**grave.form, **form}).status_code == 200
        assert grave.state() == before
    answer = client.post(grave.url, {"password": "p", **code, **grave.form})
    assert answer.status_code == grave.answer, "the control: with it, it is done"
    assert grave.state() != before


def test_control_without_that_question_it_is_done(cast, grave, monkeypatch):
    client = doer(cast, grave)
    age(client)
    monkeypatch.setattr("vibe.core.admin.base.password_is_recent", lambda _: True)
    assert client.post(grave.url, grave.form).status_code == grave.answer


@pytest.mark.parametrize("name", ["approve", "refuse", "end"])
def test_forms_sent_again_do_nothing_to_a_grant_that_is_over(cast, name):
    with undone():
        pk = give(cast.staff, "boss", cast.ada)
        grants.end_grant(grant_id=pk, actor=Actor.staff(cast.staff["boss"].pk, Origin()))
        approver = signed_in(cast.staff["approver"])
        assert approver.post(cast.url("accounts_accessgrant_do", pk, name)).status_code == 409
        assert cast.boss.get(cast.url("person_content", cast.ada)).status_code == 403
