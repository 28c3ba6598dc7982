"""Webhooks: signed, told in the transaction of what happened, tried again by a schedule, given up with a record."""

from __future__ import annotations

import os
import random
import time
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from itertools import cycle
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts import tasks
from accounts.api_keys.services import make_api_key, revoke_api_key
from accounts.erasure import services as erasure
from accounts.export.services import request_export
from accounts.grants import services as grants
from accounts.keys.services import rotation
from accounts.models import User, WebhookDelivery, WebhookEndpoint
from accounts.models.webhooks import EVENTS, EXPORT_READY, STORY_BUILT
from accounts.webhooks import outbox, sending, signing
from accounts.webhooks.services import delivering
from accounts.webhooks.services import endpoints as services
from accounts.webhooks.services.delivering import MOST_TRIES, WAITS, deliver_due
from audit.actors import Actor, Origin
from audit.models import AuditLog
from benchmarks.webhooks import deliver as deliver_many
from memories.imports.services import uploaded
from tests.building import build_all, converse
from tests.cast import TESTER
from tests.killing import Killed, killed_at
from tests.processes import start, until, url
from tests.receivers import Receiver, receiving
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.core.errors import InputError, NotFound

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def on_this_machine(settings, tmp_path):
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    settings.EXPORT_DIR, settings.ERASURES_FILE = tmp_path / "exports", tmp_path / "erasures.jsonl"
    settings.IMPORT_DIR = tmp_path / "imports"


@pytest.fixture
def receiver(db):
    with receiving(Receiver()) as found:
        yield found


def key(**more) -> UUID:
    return make_api_key(name="server", scopes={"read"}, lasts=DAY, actor=TESTER, **more)[0]


def hook(receiver, *events, api_key=None, path=""):
    """A webhook to a receiver, and its secret."""
    return services.make_webhook(
        api_key=api_key or key(), url=receiver.url + path, events=events or [*EVENTS], actor=TESTER
    )


def tell(user_id, event=STORY_BUILT) -> UUID:
    resource = uuid7()
    with as_user(user_id):
        outbox.tell(event=event, user_id=user_id, resource=resource)
    return resource


def deliver() -> int:
    return deliver_due(actor=TESTER, seconds=60)


def make_due() -> None:
    """The next try of everything is now, without waiting for it."""
    with as_system():
        WebhookDelivery.objects.filter(state="waiting").update(next_try_at=datetime.now(UTC) - timedelta(seconds=1))
        WebhookEndpoint.objects.update(resting_until=datetime.now(UTC) - timedelta(seconds=1))


def rows() -> list[WebhookDelivery]:
    with as_system():
        return list(WebhookDelivery.objects.order_by("pk"))


def only() -> WebhookDelivery:
    [row] = rows()
    return row


def endpoint(pk) -> WebhookEndpoint:
    return services.get_webhook(webhook_id=pk)


# The scheme


def test_signatures_are_those_of_the_published_example():
    secret = signing.base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signing.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_independent_verifier_takes_what_is_sent_and_nothing_else(ada, receiver):
    _, secret = hook(receiver)
    story = tell(ada)
    assert deliver() == 1
    [got] = receiver.got
    told = Webhook(secret).verify(got.body, got.headers)
    assert told["data"] == {"user_id": str(ada), "story_id": str(story)}
    assert (set(told), told["type"]) == ({"type", "timestamp", "data"}, "story.built")
    assert datetime.fromisoformat(told["timestamp"]) == only().created_at
    assert (got.path, got.headers["content-type"]) == ("/hook?of=ours", "application/json")
    assert got.id == str(only().pk)
    assert secret.startswith("whsec_") and 24 <= len(signing.base64.b64decode(secret[6:])) <= 64
    for body, headers, by in (
        (got.body.replace(b"built", b"bilt "), got.headers, secret),
        (got.body, {**got.headers, "webhook-id": "another"}, secret),
        (got.body, {**got.headers, "webhook-timestamp": str(int(time.time()) + 1)}, secret),
        (got.body, got.headers, signing.secret_text(os.urandom(32))),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(by).verify(body, headers)


def test_for_a_day_after_a_rotation_both_secrets_sign(ada, receiver):
    made, old = hook(receiver)
    _, new = services.rotate_secret(webhook_id=made.pk, actor=TESTER)
    tell(ada)
    deliver()
    for secret in (old, new):
        Webhook(secret).verify(receiver.got[-1].body, receiver.got[-1].headers)
    with as_system():
        WebhookEndpoint.objects.update(old_secret_until=datetime.now(UTC))
    tell(ada)
    deliver()
    Webhook(new).verify(receiver.got[-1].body, receiver.got[-1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.got[-1].body, receiver.got[-1].headers)


def test_secrets_are_wrapped_and_rotate_with_the_master_key(ada, receiver, settings):
    made, secret = hook(receiver)
    services.rotate_secret(webhook_id=made.pk, actor=TESTER)
    row = endpoint(made.pk)
    raw = signing.base64.b64decode(secret[6:])
    assert raw not in row.secret.ciphertext + row.old_secret.ciphertext
    settings.ENCRYPTION_KEYS_RETIRED, settings.ENCRYPTION_KEY = settings.ENCRYPTION_KEY, os.urandom(32).hex()
    with as_system():
        stale = [column.stale().count() for column in rotation.COLUMNS[-2:]]
    assert stale == [1, 1]
    assert all(not batch.broken for batch in rotation.rewrap_column(actor=TESTER))
    settings.ENCRYPTION_KEYS_RETIRED = ""
    assert delivering.open_secrets(endpoint(made.pk))[1] == raw


# What is told


def test_a_story_that_is_built_is_told_and_nothing_of_it(ada, receiver):
    hook(receiver, STORY_BUILT)
    converse(ada, [("Ada", "I moved to Lisbon with Noor.")])
    build_all(ada)
    deliver()
    told = [got.told for got in receiver.got]
    assert told and {each["type"] for each in told} == {"story.built"}
    assert b"Lisbon" not in b"".join(got.body for got in receiver.got)


def test_an_export_that_is_ready_is_told(ada, receiver):
    hook(receiver)
    export = request_export(user_id=ada, actor=TESTER)
    assert rows() == []
    tasks.export(str(ada), str(export))
    deliver()
    assert receiver.got[0].told["data"] == {"user_id": str(ada), "export_id": str(export)}


def test_an_import_that_is_done_is_told_and_one_that_failed_is_not(ada, receiver):
    hook(receiver)
    line = (
        b'{"external_id": "x", "messages": [{"author": "Ada", "text": "Hello.", "sent_at": "2026-05-12T09:30:00Z"}]}\n'
    )
    for content, strict in ((line, False), (b"nothing\n", True)):
        begun = uploaded.begin_import(
            user_id=ada, form="jsonl", options=uploaded.Options(strict=strict), dry_run=False, actor=TESTER
        )
        uploaded.take_part(user_id=ada, import_id=begun.pk, number=0, content=content, actor=TESTER)
        uploaded.start_import(user_id=ada, import_id=begun.pk, parts=1, actor=TESTER)
        uploaded.run_import(user_id=ada, import_id=begun.pk, actor=TESTER)
    states = [uploaded.import_status(user_id=ada, import_id=begun.pk).state, len(rows())]
    assert states == ["failed", 1]
    assert only().event == "import.ready"


def test_an_erasure_is_told_when_it_is_done_and_everything_else_of_the_person_goes(ada, jonas, receiver):
    hook(receiver)
    tell(ada)
    theirs = tell(jonas)
    erasure.request_erasure(user_id=ada, actor=TESTER, at_once=True)
    assert {row.event for row in rows()} == {"story.built"}
    erasure.erase(user_id=ada, actor=TESTER)
    told = {row.event: (row.person, row.resource) for row in rows()}
    tombstone = erasure.get_erasure(ada)
    assert told == {"story.built": (jonas, theirs), "erasure.done": (ada, tombstone.pk)}
    assert tombstone.removed["webhook_deliveries"] == 1


def test_control_without_the_step_ids_of_an_erased_person_stay(ada, receiver, monkeypatch):
    monkeypatch.setattr(erasure, "delete_deliveries_about", lambda _: 0)
    hook(receiver)
    tell(ada)
    erasure.request_erasure(user_id=ada, actor=TESTER, at_once=True)
    erasure.erase(user_id=ada, actor=TESTER)
    assert [row.event for row in rows()] == ["story.built", "erasure.done"]


def test_a_grant_that_opens_is_told_and_one_that_is_refused_is_not(ada, receiver, settings):
    settings.ONE_TIME_CODES = True
    hook(receiver)
    lena, omar = (User.objects.create_superuser(f"{name}@example.com", "correct horse") for name in ("lena", "omar"))
    asked = []
    for approve in (False, True):
        asked.append(
            grants.request_access(
                user_id=ada,
                actor=Actor.staff(lena.pk, Origin()),
                reason="a case",
                ticket="T-1",
                duration=timedelta(hours=1),
            )
        )
        grants.decide_request(grant_id=asked[-1], actor=Actor.staff(omar.pk, Origin()), approve=approve)
    assert (only().event, only().resource) == ("grant.opened", asked[1])


def test_what_did_not_happen_is_not_told(ada, receiver):
    hook(receiver)
    with suppress(InputError), transaction.atomic(), as_user(ada):
        assert outbox.tell(event=STORY_BUILT, user_id=ada, resource=uuid7()) == 1
        raise InputError
    assert (rows(), deliver(), receiver.got) == ([], 0, [])


def test_who_hears_of_what(ada, jonas, receiver):
    """A key for one person hears of that person, a revoked one of nothing, each of the events it named."""
    everybody, of_jonas, revoked = key(), key(person=jonas), key()
    for number, (whose, events) in enumerate(
        [(everybody, [STORY_BUILT]), (of_jonas, [STORY_BUILT]), (revoked, [STORY_BUILT]), (everybody, [EXPORT_READY])]
    ):
        hook(receiver, *events, api_key=whose, path=f"&n={number}")
    revoke_api_key(key_id=revoked, actor=TESTER)
    tell(ada)
    deliver()
    assert [got.path[-3:] for got in receiver.got] == ["n=0"]
    tell(jonas)
    deliver()
    assert sorted(got.path[-3:] for got in receiver.got[1:]) == ["n=0", "n=1"]


def test_a_key_that_is_revoked_meanwhile_gets_nothing_more(ada, receiver):
    whose = key()
    made, _ = hook(receiver, api_key=whose)
    tell(ada)
    revoke_api_key(key_id=whose, actor=TESTER)
    assert (deliver(), receiver.got, only().state) == (0, [], "given up")
    assert "revoked" in endpoint(made.pk).disabled_why


# Tries


def test_a_failed_delivery_is_tried_again_by_the_schedule_and_given_up_with_a_record(ada, receiver):
    receiver.answer = lambda *_: 503
    made, _ = hook(receiver)
    tell(ada)
    for tried, wait in enumerate((*WAITS, None), start=1):
        before = datetime.now(UTC)
        assert (deliver(), only().tries, only().failure) == (0, tried, "The receiver answered 503.")
        assert len(receiver.got) == tried
        if wait:
            assert only().state == "waiting"
            waits = (only().next_try_at - before).total_seconds()
            assert 0.79 * wait <= waits <= 1.21 * wait + 5
        assert (deliver(), len(receiver.got)) == (0, tried)  # not before it is due
        make_due()
    assert (only().state, only().next_try_at, tried) == ("given up", None, MOST_TRIES)
    assert {got.id for got in receiver.got} == {str(only().pk)}
    assert len({got.body for got in receiver.got}) == 1
    receiver.answer = lambda *_: 200
    assert deliver() == 0
    services.redeliver(delivery_id=only().pk, actor=TESTER)
    make_due()
    assert (deliver(), only().state, only().failure) == (1, "delivered", "")
    assert endpoint(made.pk).failing_since is None


def test_waits_differ_by_chance(ada, receiver, monkeypatch):
    factors = {(0.8, 1.2): cycle((0.8, 1.0, 1.2))}
    monkeypatch.setattr(random, "uniform", lambda low, high: next(factors[low, high]))
    receiver.answer = lambda *_: 500
    hook(receiver)
    for _ in range(3):
        tell(ada)
    deliver()
    waits = sorted((row.next_try_at - row.created_at).total_seconds() for row in rows())
    assert all(wait >= least for wait, least in zip(waits, (4, 5, 6), strict=True))


def test_a_receiver_may_ask_for_more_time(ada, receiver):
    receiver.answer, receiver.headers = lambda *_: 429, {"Retry-After": "3600"}
    hook(receiver)
    tell(ada)
    deliver()
    assert only().next_try_at > datetime.now(UTC) + timedelta(minutes=59)


def test_after_five_days_of_failures_it_is_disabled_with_a_record(ada, receiver):
    receiver.answer = lambda *_: 500
    made, _ = hook(receiver)
    tell(ada)
    tell(ada)
    deliver()
    with as_system():
        WebhookEndpoint.objects.update(failing_since=datetime.now(UTC) - timedelta(days=4, hours=23))
    make_due()
    deliver()
    assert endpoint(made.pk).disabled_at is None
    with as_system():
        WebhookEndpoint.objects.update(failing_since=datetime.now(UTC) - timedelta(days=5, minutes=1))
    make_due()
    deliver()
    assert endpoint(made.pk).disabled_why == "It has failed for 5 days. The receiver answered 500."
    assert {row.state for row in rows()} == {"given up"}
    with as_system():
        assert AuditLog.objects.filter(action="webhook.disable", resource=f"webhook_endpoints/{made.pk}").count() == 1
    count = len(rows())
    tell(ada)
    assert len(rows()) == count
    with pytest.raises(InputError, match="disabled"):
        services.redeliver(delivery_id=rows()[0].pk, actor=TESTER)
    services.change_webhook(webhook_id=made.pk, actor=TESTER, active=True)
    receiver.answer = lambda *_: 204
    tell(ada)
    assert deliver() == 1


def test_a_success_in_between_begins_the_days_anew(ada, receiver):
    made, _ = hook(receiver)
    with as_system():
        WebhookEndpoint.objects.update(failing_since=datetime.now(UTC) - timedelta(days=6))
    tell(ada)
    deliver()
    receiver.answer = lambda *_: 500
    tell(ada)
    deliver()
    assert endpoint(made.pk).disabled_at is None


def test_a_receiver_that_answers_410_wants_no_more(ada, receiver):
    receiver.answer = lambda *_: 410
    made, _ = hook(receiver)
    tell(ada)
    tell(ada)
    deliver()
    assert len(receiver.got) == 1
    assert "410" in endpoint(made.pk).disabled_why
    assert [row.state for row in rows()] == ["given up"] * 2


def test_one_that_fails_rests_and_does_not_hold_up_another(ada, receiver):
    receiver.answer = lambda got, _: 500 if "bad" in got.path else 200
    whose = key()
    bad, _ = hook(receiver, api_key=whose, path="&bad")
    hook(receiver, api_key=whose, path="&good")
    for _ in range(8):
        tell(ada)
    with as_system():
        WebhookEndpoint.objects.filter(pk=bad.pk).update(failing_since=datetime.now(UTC) - timedelta(seconds=90))
    assert deliver() == 8
    assert sum("bad" in got.path for got in receiver.got) == delivering.FAILURES_IN_A_ROW
    rest = endpoint(bad.pk).resting_until - datetime.now(UTC)
    assert timedelta(seconds=60) < rest < timedelta(seconds=120)


# Receivers that take their time


def drip(seconds):
    """An answer whose head takes so long, a byte at a time."""

    def answer(_got, handler):
        text = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        with suppress(OSError):
            for byte in text:
                handler.wfile.write(bytes([byte]))
                time.sleep(seconds / len(text))

    return answer


@pytest.mark.parametrize("limit", [True, False], ids=["held", "control"])
def test_one_that_drips_its_answer_is_given_up_in_time(receiver, monkeypatch, limit):
    receiver.answer = drip(1.2)
    if not limit:
        monkeypatch.setattr(sending, "limited", lambda *_: nullcontext())
    began = time.monotonic()
    outcome = sending.post(receiver.url, {}, b"{}", seconds=0.4)
    assert outcome.failure == "The receiver gave no answer within 0.4 s."
    assert (time.monotonic() - began < 0.7) is limit


def test_of_an_endless_answer_nothing_but_the_head_is_read(receiver):
    sent = []

    def endless(_got, handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while len(sent) < 100_000:
                handler.wfile.write(b"x" * 65_536)
                sent.append(1)

    receiver.answer = endless
    assert sending.post(receiver.url, {}, b"{}", seconds=5) == sending.Outcome()
    assert len(sent) < 1_000


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"nonsense\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000, "LineTooLong"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "HTTPException"),
    ],
)
def test_what_is_no_http_is_a_failure_in_words(receiver, raw, said):
    receiver.answer = lambda _, handler: handler.wfile.write(raw) and None
    assert sending.post(receiver.url, {}, b"{}", seconds=5).failure == f"The receiver gave no answer: {said}."


def test_nobody_there(settings):
    with receiving(Receiver()) as gone:
        pass
    assert sending.post(gone.url, {}, b"").failure == "The receiver gave no answer: ConnectionRefusedError."


# Nothing lost, nothing twice


def test_killed_at_any_statement_nothing_is_lost_and_nothing_sent_twice_but_what_was_in_hand(committed):
    with receiving(Receiver()) as receiver:
        from accounts.people.services.people import Profile, ensure_person

        ada = ensure_person(profile=Profile("ada"), actor=TESTER)
        hook(receiver)
        kills = 0
        for statement in range(1, 40):
            for _ in range(2):
                tell(ada)
            before = len(receiver.got)
            try:
                with killed_at(statement):
                    deliver()
            except Killed:
                kills += 1
            make_due()
            deliver()
            assert {row.state for row in rows()} == {"delivered"}
            assert len(receiver.got) - before <= 3
            if len(receiver.got) - before == 2 and kills < statement:
                break
        assert kills > 10
        assert set(receiver.times) == {str(row.pk) for row in rows()}
        assert max(receiver.times.values()) == 2


def test_a_worker_that_is_killed_amid_deliveries_loses_none(committed, settings):
    from accounts.people.services.people import Profile, ensure_person

    hold = []

    def answer(_got, handler):
        hold.append(1)
        if len(hold) > 3:
            with suppress(OSError):
                handler.connection.settimeout(30)
                handler.connection.recv(1)  # until the sender is dead
        return 200

    with receiving(Receiver(answer)) as receiver:
        ada = ensure_person(profile=Profile("ada"), actor=TESTER)
        hook(receiver)
        told = {str(tell(ada)) for _ in range(8)}
        given = {"WEBHOOK_NETWORKS": "127.0.0.1/32", "DATABASE_URL": url()}
        worker = start("worker", "--classes", "webhooks", **given)
        try:
            until(lambda: len(receiver.got) == 4, 60)
        finally:
            worker.kill()
            worker.communicate()
        assert [row.state for row in rows()].count("delivered") == 3
        receiver.answer = lambda *_: 200
        make_due()
        deliver()
        assert {row.state for row in rows()} == {"delivered"}
        assert {got.told["data"]["story_id"] for got in receiver.got} == told
        assert sorted(receiver.times.values()) == [1] * 7 + [2]


# Upkeep and cost


def test_old_records_go_and_what_waits_stays(ada, receiver, settings):
    hook(receiver)
    tell(ada)
    deliver()
    tell(ada)
    settings.WEBHOOK_KEPT_DAYS = 0
    assert outbox.prune() == 1
    assert only().state == "waiting"
    settings.WEBHOOK_KEPT_DAYS = 30
    deliver()
    assert outbox.prune() == 0


def test_what_a_clock_that_was_ahead_put_off_comes_back(ada, receiver):
    hook(receiver)
    tell(ada)
    with as_system():
        WebhookDelivery.objects.update(next_try_at=datetime.now(UTC) + timedelta(days=400))
        WebhookEndpoint.objects.update(resting_until=datetime.now(UTC) + timedelta(days=400))
    assert deliver() == 0
    tasks.forget_webhooks(timestamp=0)
    assert deliver() == 1


WAITING = (
    "INSERT INTO webhook_deliveries (id, endpoint, event, person, resource, next_try_at) "
    "SELECT gen_random_uuid(), %s, 'story.built', %s, %s, now() + interval '1 hour' FROM generate_series(1, 20000)"
)


def test_one_that_is_due_is_found_by_index_among_many_that_wait(ada, receiver):
    made, _ = hook(receiver)
    tell(ada)
    with as_system(), connection.cursor() as cursor:
        cursor.execute(WAITING, [made.pk, ada, ada])
        cursor.execute("RESET ROLE")
        cursor.execute("ANALYZE webhook_deliveries")
    for statement, given in (
        (delivering.TAKE_ENDPOINT, [timedelta(minutes=1)]),
        (delivering.TAKE_DELIVERY, [1.0, [1.0], 1, made.pk]),
    ):
        with as_system(), connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.replace("%b", "%s"), given)
            plan = cursor.fetchone()[0][0]
        assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 100, statement


# Endpoints


def test_a_key_has_ten_at_most_and_each_address_once(receiver):
    whose = key()
    made, _ = hook(receiver, api_key=whose)
    with pytest.raises(services.WebhookThere) as there:
        hook(receiver, api_key=whose)
    assert there.value.existing == made.pk
    for number in range(9):
        hook(receiver, api_key=whose, path=f"&n={number}")
    with pytest.raises(InputError, match="10 webhooks at most"):
        hook(receiver, api_key=whose, path="&more")
    services.delete_webhook(webhook_id=made.pk, actor=TESTER)
    hook(receiver, api_key=whose)


def test_a_webhook_that_is_deleted_takes_its_deliveries_along(ada, receiver):
    made, _ = hook(receiver)
    tell(ada)
    services.delete_webhook(webhook_id=made.pk, actor=TESTER)
    assert (rows(), deliver()) == ([], 0)


def test_webhooks_of_another_key_are_not_there(receiver):
    made, _ = hook(receiver)
    for verb in (services.rotate_secret, services.delete_webhook, services.change_webhook):
        with pytest.raises(NotFound):
            verb(webhook_id=made.pk, api_key=key(), actor=TESTER)


@pytest.mark.parametrize("events", [[], ["memory.added"], ["story.built", ""]])
def test_events_that_do_not_exist_are_refused(receiver, events):
    with pytest.raises(InputError, match="events out of"):
        services.make_webhook(api_key=key(), url=receiver.url, events=events, actor=TESTER)


def test_support_reads_no_secret(receiver, ada):
    hook(receiver)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), as_support():
        list(WebhookEndpoint.objects.values_list("secret"))


# Many, to a receiver that fails a third: `python -m benchmarks.webhooks` in short


@pytest.mark.parametrize("fails", [1 / 3, 1.0])
def test_each_is_delivered_or_given_up_with_a_record_and_none_twice(ada, db, fails):
    found = deliver_many(ada, 40 if fails < 1 else 5, fails=fails)
    assert found["delivered"] + found["given up, with a record"] == found["events"]
    assert (found["delivered"] == 0) is (fails == 1)
    for fault in ("lost", "taken more than once", "delivered by the record, not taken"):
        assert found[fault] == 0, fault
    assert (found["sent other than the record says"], found["most tries"] <= MOST_TRIES) == (0, True)
    assert found["requests"] > found["events"]


def test_control_sent_without_being_written_down_it_would_be_noticed(ada, db, monkeypatch):
    once = delivering.attempt
    monkeypatch.setattr(delivering, "attempt", lambda *given: [once(*given), once(*given)][1])
    found = deliver_many(ada, 5, fails=0)
    assert found["sent other than the record says"] == found["taken more than once"] == 5
