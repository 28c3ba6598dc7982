"""Webhooks over the API: an API key makes, lists, changes, rotates and deletes its own."""

from __future__ import annotations

from typing import get_args

import pytest
from standardwebhooks.webhooks import Webhook

from accounts.api import webhooks as shapes
from accounts.models import ApiKey, WebhookDelivery, WebhookEndpoint
from accounts.models.webhooks import EVENTS
from accounts.webhooks import addresses
from accounts.webhooks.services.delivering import deliver_due
from audit.models import AuditLog
from tests.api.conftest import Api, Server
from tests.cast import TESTER
from tests.receivers import Receiver, receiving
from tests.test_webhooks import tell
from vibe.core.db.scopes import as_system

NEW = {"url": "https://app.example/hooks", "events": ["story.built"]}


@pytest.fixture(autouse=True)
def names(monkeypatch, settings):
    """Every host but those on this machine is 8.8.8.8."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    really = addresses.socket.getaddrinfo

    def look_up(host, port, *how, **more):
        return really("127.0.0.1" if host.startswith("127") else "8.8.8.8", port, *how, **more)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)


def test_made_listed_changed_rotated_and_deleted(server):
    bot = server("read")
    made = bot.post("/webhooks", NEW)
    assert made.status_code == 201
    shown = {name: value for name, value in made.json().items() if name != "secret"}
    path = f"/webhooks/{shown['id']}"
    assert made["Location"] == f"/api/v1{path}"
    assert made.json()["secret"].startswith("whsec_")
    assert (shown["url"], shown["events"], shown["active"], shown["disabled_why"]) == (*NEW.values(), True, "")
    assert bot.get(path).json() == shown
    assert bot.get("/webhooks").json() == {"items": [shown]}
    changed = bot.patch(path, {"events": ["export.ready", "erasure.done"]}).json()
    assert changed == {**shown, "events": ["erasure.done", "export.ready"]}
    assert bot.patch(path, {"url": "https://other.example/"}).json()["url"] == "https://other.example/"
    off = bot.patch(path, {"active": False}).json()
    assert (off["active"], off["disabled_why"]) == (False, "It was disabled by hand.")
    on = bot.patch(path, {"active": True}).json()
    assert (on["active"], on["disabled_at"]) == (True, None)
    rotated = bot.post(f"{path}/rotate-secret").json()
    assert rotated["secret"] not in (made.json()["secret"], "")
    assert rotated["old_secret_until"]
    assert bot.delete(path).status_code == 204
    assert (bot.get(path).status_code, bot.get("/webhooks").json()) == (404, {"items": []})


def test_what_is_made_over_the_api_delivers(server, ada):
    with receiving(Receiver()) as receiver:
        secret = server("read").post("/webhooks", {**NEW, "url": receiver.url}).json()["secret"]
        tell(ada)
        assert deliver_due(actor=TESTER, seconds=10) == 1
    Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)


def test_the_same_address_again_names_what_is_there(server):
    bot = server("read")
    made = bot.post("/webhooks", NEW).json()
    again = bot.post("/webhooks", NEW)
    assert (again.status_code, again.json()["code"], again.json()["existing_id"]) == (409, "webhook-there", made["id"])


CALLS = [
    ("POST", "/webhooks", NEW),
    ("GET", "/webhooks", None),
    ("GET", "/webhooks/{}", None),
    ("PATCH", "/webhooks/{}", {"active": False}),
    ("POST", "/webhooks/{}/rotate-secret", None),
    ("DELETE", "/webhooks/{}", None),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_who_may_not(server, ada, call):
    made = server("read").post("/webhooks", NEW).json()["id"]
    method, path, body = call[0], call[1].format(made), call[2]
    for who, code in (
        (Api("ada"), "refused"),
        (Api(""), "credentials-missing"),
        (server("people", "write"), "scope-missing"),
        (server("read", companion="nova"), "companion-bound"),
        (server("read", companion="nova", person=ada), "companion-bound"),
        (Server("vibe_wrong"), "api-key-invalid"),
    ):
        assert who(method, path, body).json()["code"] == code
    if "{}" in call[1]:
        assert server("read")(method, path, body).status_code == 404
    with as_system():
        assert [str(pk) for pk in WebhookEndpoint.objects.values_list("pk", flat=True)] == [made]


def test_a_key_for_one_person_has_webhooks_of_its_own(server, ada):
    bot = server("read", person=ada)
    made = bot.post("/webhooks", NEW).json()
    assert [each["id"] for each in bot.get("/webhooks").json()["items"]] == [made["id"]]
    with as_system():
        key = WebhookEndpoint.objects.get().api_key
        assert ApiKey.objects.values_list("person", flat=True).get(pk=key) == ada


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**NEW, "url": "https://127.0.0.2/"}, "webhook-host-unknown"),
        ({**NEW, "url": "http://app.example/"}, "webhook-address-refused"),
        ({**NEW, "url": "ftp://app.example/"}, "input"),
        ({**NEW, "url": ""}, "invalid"),
        ({**NEW, "url": "https://a.example/" + "x" * 500}, "invalid"),
        ({**NEW, "events": []}, "invalid"),
        ({**NEW, "events": ["memory.added"]}, "invalid"),
        ({**NEW, "secret": "whsec_mine"}, "invalid"),
        ({"url": NEW["url"]}, "invalid"),
    ],
)
def test_bad_input_is_named_and_nothing_is_made(server, body, code, monkeypatch):
    if code == "webhook-host-unknown":
        monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: [])
    answer = server("read").post("/webhooks", body)
    assert answer.json()["code"] == code
    assert "whsec" not in answer.content.decode()
    with as_system():
        assert not WebhookEndpoint.objects.exists()


def test_the_log_says_which_key_and_never_the_address_or_the_secret(server):
    bot = server("read")
    made = bot.post("/webhooks", NEW).json()
    with as_system():
        rows = AuditLog.objects.filter(resource=f"webhook_endpoints/{made['id']}").values()
        assert [row["action"] for row in rows] == ["webhook.make"]
        assert rows[0]["actor"].startswith("api-key ")
        text = str(list(AuditLog.objects.values()))
    assert made["secret"] not in text
    assert "app.example" not in text


def test_events_are_described_as_they_are():
    assert set(get_args(shapes.Event)) == set(EVENTS)


def test_deliveries_of_a_disabled_webhook_are_given_up(server, ada):
    bot = server("read")
    path = f"/webhooks/{bot.post('/webhooks', NEW).json()['id']}"
    tell(ada)
    bot.patch(path, {"active": False})
    with as_system():
        assert WebhookDelivery.objects.get().state == "given up"
