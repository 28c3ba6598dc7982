"""Delivery of what waits in the outbox: each to be tried again by a schedule, until it is taken or given up.

A try is counted, and the time of the next one written, before the request is sent: a worker that is killed amid it
loses nothing, and the delivery is tried again as after a failure. No transaction is open while a receiver is waited
for. One worker at a time has an endpoint, for a turn. An endpoint that fails rests for as long as it has been failing.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from accounts.keys.master_key import ring
from accounts.models import WebhookDelivery, WebhookEndpoint
from accounts.webhooks import sending
from accounts.webhooks.signing import signed_headers
from audit.actors import Actor
from audit.services import FAILED, OK, record
from vibe.core.crypto.seal import Sealed
from vibe.core.db.scopes import as_system
from vibe.core.db.statements import bulk

MINUTE, HOUR = 60, 3_600
WAITS: Final = (5, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)))
"""Seconds after each try that fails, by the example of the scheme's specification: 76 hours in all."""
MOST_TRIES: Final = len(WAITS) + 1
JITTER: Final = 0.2  # of a wait, either way, so that what failed together does not come back together
TURN: Final = 10.0  # seconds that one endpoint is sent to before another's turn
FAILURES_IN_A_ROW: Final = 5  # that end a turn
LEASE: Final = timedelta(minutes=1)  # of an endpoint: longer than a turn and the request that ends it
LONGEST_REST: Final = timedelta(minutes=5)
DISABLED_AFTER: Final = timedelta(days=5)  # of failures alone
STATE = WebhookDelivery.State
NOT_LISTENING: Final = "The webhook is disabled, or its API key is revoked, expired or not approved yet."

# The clock of each statement, as Django's Now() has it, not of the transaction's begin.
TAKE_ENDPOINT: Final = """
UPDATE webhook_endpoints SET resting_until = statement_timestamp() + %b WHERE id = (
    SELECT id FROM webhook_endpoints endpoint
    WHERE disabled_at IS NULL AND resting_until <= statement_timestamp() AND EXISTS (
        SELECT FROM webhook_deliveries
        WHERE endpoint = endpoint.id AND state = 'waiting' AND next_try_at <= statement_timestamp())
    ORDER BY resting_until LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""
# The last wait is also that after the last try, in case a worker is killed amid it.
TAKE_DELIVERY: Final = """
UPDATE webhook_deliveries SET tries = tries + 1,
    next_try_at = statement_timestamp() + make_interval(secs => %b * (%b::float8[])[least(tries + 1, %b)])
WHERE id = (
    SELECT id FROM webhook_deliveries
    WHERE endpoint = %b AND state = 'waiting' AND next_try_at <= statement_timestamp()
    ORDER BY next_try_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id, event, person, resource, created_at, tries
"""
KEY_IS_USABLE: Final = """
SELECT 1 FROM api_keys
WHERE id = %b AND approved_at IS NOT NULL AND revoked_at IS NULL AND expires_at > statement_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint as requests need it. Its secrets are open."""

    id: UUID
    url: str
    secrets: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose try has been counted."""

    id: UUID
    event: str
    person: UUID
    resource: UUID
    created_at: datetime
    tries: int

    def body(self) -> bytes:
        """Return what is sent: the type, the time and ids. It is the same at every try."""
        kind = self.event.partition(".")[0]
        told = {
            "type": self.event,
            "timestamp": self.created_at.isoformat().replace("+00:00", "Z"),
            "data": {"user_id": str(self.person), f"{kind}_id": str(self.resource)},
        }
        return json.dumps(told, separators=(",", ":")).encode()


def deliver_due(*, actor: Actor, seconds: float) -> int:
    """Send what is due, endpoint by endpoint, until nothing is or the seconds are over. Return how many were sent.

    Raises KeyServiceUnavailable, before anything is counted as a try.
    """
    ends, sent = time.monotonic() + seconds, 0
    while time.monotonic() < ends and (endpoint_id := take_endpoint()):
        sent += serve(endpoint_id, actor=actor)
    return sent


def take_endpoint() -> UUID | None:
    """Take the endpoint that has waited longest with something due, so that no other worker sends to it."""
    with as_system():
        found = bulk.run(TAKE_ENDPOINT, [LEASE])
    return found[0][0] if found else None


def serve(endpoint_id: UUID, *, actor: Actor) -> int:
    """Send to one endpoint for a turn, and let it rest. Return how many were sent."""
    ends, sent, in_a_row = time.monotonic() + TURN, 0, 0
    receiver = open_receiver(endpoint_id, actor=actor)
    while receiver and in_a_row < FAILURES_IN_A_ROW and time.monotonic() < ends:
        delivery = take_delivery(endpoint_id)
        if delivery is None:
            break
        outcome = attempt(receiver, delivery)
        settle(receiver, delivery, outcome, actor=actor)
        sent += not outcome.failure
        in_a_row = in_a_row + 1 if outcome.failure else 0
        if outcome.gone:
            break
    with as_system():
        rest(endpoint_id)
    return sent


def open_receiver(endpoint_id: UUID, *, actor: Actor) -> Receiver | None:
    """Open the secrets of an endpoint. Without a usable key it is disabled, and None is returned."""
    with as_system():
        row = WebhookEndpoint.objects.filter(pk=endpoint_id, disabled_at=None).first()
        if row is None:
            return None
        if not bulk.run(KEY_IS_USABLE, [row.api_key]):
            disable(endpoint_id, "Its API key is revoked or expired.", actor=actor)
            return None
    return Receiver(row.pk, row.url, tuple(open_secrets(row)))


def open_secrets(row: WebhookEndpoint) -> list[bytes]:
    """Return the secrets that sign for an endpoint now, the newer first. Raises SealError, KeyServiceUnavailable."""
    columns = ["secret"]
    if row.old_secret_until and row.old_secret_until > timezone.now():
        columns.append("old_secret")
    sealed: list[tuple[str, Sealed]] = [(column, getattr(row, column)) for column in columns]
    return [ring().unwrap(value, row.secret_address(column)) for column, value in sealed]


def take_delivery(endpoint_id: UUID) -> Delivery | None:
    """Take the delivery that has been due for longest: count the try, and write when the next one is."""
    factor = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # nosec B311
    waits = [float(wait) for wait in (*WAITS, WAITS[-1])]
    with as_system():
        found = bulk.run(TAKE_DELIVERY, [factor, waits, len(waits), endpoint_id])
    return Delivery(*found[0]) if found else None


def attempt(receiver: Receiver, delivery: Delivery) -> sending.Outcome:
    """Send a delivery once, signed anew."""
    body = delivery.body()
    signed = signed_headers(receiver.secrets, str(delivery.id), int(time.time()), body)
    return sending.post(receiver.url, {**signed, "Content-Type": "application/json"}, body)


def settle(receiver: Receiver, delivery: Delivery, outcome: sending.Outcome, *, actor: Actor) -> None:
    """Write what came of a try, and disable the endpoint if it is gone or has failed for too long."""
    with as_system():
        row = WebhookDelivery.objects.filter(pk=delivery.id, state=STATE.WAITING)
        endpoint = WebhookEndpoint.objects.filter(pk=receiver.id)
        if not outcome.failure:
            finish(row, STATE.DELIVERED, "")
            endpoint.filter(failing_since__isnull=False).update(failing_since=None)
            return
        if delivery.tries >= MOST_TRIES:
            finish(row, STATE.GIVEN_UP, outcome.failure)
        else:
            row.update(failure=outcome.failure)
            if outcome.wait:
                least = timezone.now() + timedelta(seconds=outcome.wait)
                row.filter(next_try_at__lt=least).update(next_try_at=least)
        endpoint.filter(failing_since=None).update(failing_since=Now())
        if outcome.gone:
            disable(receiver.id, "The receiver answered 410: it wants no more.", actor=actor)
        elif endpoint.filter(failing_since__lt=Now() - DISABLED_AFTER).exists():
            disable(receiver.id, f"It has failed for {DISABLED_AFTER.days} days. {outcome.failure}", actor=actor)


def finish(rows: Any, state: str, failure: str) -> int:
    """End deliveries. Return how many."""
    changed: int = rows.update(state=state, failure=failure, next_try_at=None, finished_at=Now())
    return changed


def disable(endpoint_id: UUID, why: str, *, actor: Actor, by_hand: bool = False) -> None:
    """Disable an endpoint, and give up what waits for it. Do nothing if it is disabled."""
    with as_system():
        enabled = WebhookEndpoint.objects.filter(pk=endpoint_id, disabled_at=None)
        if not enabled.update(disabled_at=Now(), disabled_why=why[:200]):
            return
        waiting = WebhookDelivery.objects.filter(endpoint=endpoint_id, state=STATE.WAITING)
        given_up = finish(waiting, STATE.GIVEN_UP, NOT_LISTENING)
        record(
            actor=actor,
            action="webhook.disable",
            resource=f"webhook_endpoints/{endpoint_id}",
            outcome=OK if by_hand else FAILED,
            reason=why,
            details={"given_up": given_up},
        )


def rest(endpoint_id: UUID) -> None:
    """Give an endpoint back: for the next turn, or after a rest as long as it has been failing."""
    row = WebhookEndpoint.objects.filter(pk=endpoint_id)
    since = row.values_list("failing_since", flat=True).first()
    failing = max(timedelta(0), timezone.now() - since) if since else timedelta(0)
    row.update(resting_until=Now() + min(failing, LONGEST_REST))
