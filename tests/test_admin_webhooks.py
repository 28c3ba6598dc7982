"""Webhooks in the admin: made on the page of a key, changed, rotated, disabled; deliveries, and sending again."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from standardwebhooks.webhooks import Webhook

from accounts.api_keys.services import make_api_key
from accounts.models import ApiKey, User, WebhookDelivery, WebhookEndpoint
from accounts.staff.groups import ensure_groups
from accounts.webhooks.services import endpoints as services
from accounts.webhooks.services.delivering import deliver_due
from audit.models import AuditLog
from tests.cast import TESTER
from tests.receivers import Receiver, receiving
from tests.sessions import force_sign_in
from tests.test_webhooks import tell
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.scopes import as_staff, as_system


@pytest.fixture(autouse=True)
def on_this_machine(settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def receiver(db):
    with receiving(Receiver()) as found:
        yield found


@pytest.fixture
def staff(db):
    """A member of staff of a role, signed in: staff("engineer")."""
    ensure_groups()

    def sign_in(role):
        user = User.objects.create_user(f"{role}@example.com", "correct horse battery")
        with as_staff():
            user.groups.set(Group.objects.filter(name=role))
        return force_sign_in(Client(), user)

    return sign_in


@pytest.fixture
def key(db):
    return make_api_key(name="server", scopes={"read"}, lasts=timedelta(days=1), actor=TESTER)[0]


def deed(row, name):
    return reverse(f"admin:accounts_{row._meta.model_name}_do", args=[row.pk, name])


def secret_on(page) -> str:
    return re.search(r"whsec_[A-Za-z0-9+/=]+", page.content.decode())[0]


def only(model):
    with as_system():
        return model.objects.get()


def test_made_changed_rotated_and_deleted(staff, key, receiver, ada):
    engineer = staff("engineer")
    page = page_url(ApiKey, key)
    make = reverse("admin:accounts_webhookendpoint_make", args=[key])
    assert make in engineer.get(page).content.decode()
    assert engineer.get(make).status_code == 200
    made = engineer.post(make, {"url": receiver.url, "events": ["story.built"]})
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    row, old = only(WebhookEndpoint), secret_on(made)
    assert (row.api_key, row.events) == (key, ["story.built"])
    shown = engineer.get(page_url(WebhookEndpoint, row.pk)).content.decode()
    assert receiver.url in shown.replace("&amp;", "&")
    assert "whsec_" not in shown
    new = secret_on(engineer.post(deed(row, "rotate")))
    edit = reverse("admin:accounts_webhookendpoint_edit", args=[row.pk])
    assert engineer.get(edit).status_code == 200
    engineer.post(edit, {"url": receiver.url + "&new", "events": ["story.built", "export.ready"]})
    assert only(WebhookEndpoint).url.endswith("&new")
    tell(ada)
    assert deliver_due(actor=TESTER, seconds=10) == 1
    for secret in (old, new):
        Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    engineer.post(deed(row, "disable"))
    assert only(WebhookEndpoint).disabled_at
    engineer.post(deed(row, "enable"))
    assert only(WebhookEndpoint).disabled_at is None
    assert engineer.post(deed(row, "delete"))["Location"] == page
    with as_system():
        assert not WebhookEndpoint.objects.exists()
        done = set(AuditLog.objects.filter(resource=f"webhook_endpoints/{row.pk}").values_list("action", flat=True))
    assert {f"webhook.{verb}" for verb in ("make", "change", "rotate", "disable", "delete")} <= done


def test_an_address_inside_is_refused_in_the_form(staff, key):
    answer = staff("engineer").post(
        reverse("admin:accounts_webhookendpoint_make", args=[key]),
        {"url": "https://10.0.0.1/", "events": ["story.built"]},
    )
    assert "public addresses only" in answer.content.decode()
    with as_system():
        assert not WebhookEndpoint.objects.exists()


def test_a_delivery_says_what_became_of_it_and_is_sent_again(staff, key, receiver, ada):
    receiver.answer = lambda *_: 410
    hook, _ = services.make_webhook(api_key=key, url=receiver.url, events=["story.built"], actor=TESTER)
    tell(ada)
    deliver_due(actor=TESTER, seconds=10)
    row = only(WebhookDelivery)
    engineer = staff("engineer")
    listed = engineer.get(list_url(WebhookDelivery, endpoint=hook.pk)).content.decode()
    assert "Given up" in listed
    assert "Send again" in engineer.get(page_url(WebhookDelivery, row.pk)).content.decode()
    assert "Its webhook is disabled" in engineer.post(deed(row, "redeliver")).content.decode()
    services.change_webhook(webhook_id=hook.pk, active=True, actor=TESTER)
    receiver.answer = lambda *_: 200
    assert engineer.post(deed(row, "redeliver")).status_code == 302
    assert deliver_due(actor=TESTER, seconds=10) == 1
    assert receiver.times[str(row.pk)] == 2


@pytest.mark.parametrize("role", ["support", "approver", "auditor"])
def test_other_roles_do_nothing_of_it(staff, key, receiver, ada, role):
    hook, _ = services.make_webhook(api_key=key, url=receiver.url, events=["story.built"], actor=TESTER)
    tell(ada)
    deliver_due(actor=TESTER, seconds=10)
    other = staff(role)
    make = reverse("admin:accounts_webhookendpoint_make", args=[key])
    edit = reverse("admin:accounts_webhookendpoint_edit", args=[hook.pk])
    for url in (make, edit):
        assert other.post(url, {"url": receiver.url + "&other", "events": ["story.built"]}).status_code == 403
    for name in ("rotate", "disable", "delete"):
        assert other.post(deed(hook, name)).status_code == 403
    assert other.post(deed(only(WebhookDelivery), "redeliver")).status_code == 403
    row = only(WebhookEndpoint)
    assert (row.url, row.disabled_at, row.old_secret_until, only(WebhookDelivery).state) == (
        *(receiver.url, None, None),
        "delivered",
    )
