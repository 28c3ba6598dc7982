"""The outbox: events are written in the transaction of what they tell, so that none is lost and none is untrue.

It is written in the system's role, as jobs are. Who hears of an event is decided here, by the keys of that moment.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import WebhookDelivery, WebhookEndpoint
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system
from vibe.core.db.statements import bulk

# The lock lets no endpoint be deleted before the deliveries to it are committed, and no other change wait.
LISTENING: Final = """
SELECT endpoint.id FROM webhook_endpoints endpoint JOIN api_keys key ON key.id = endpoint.api_key
WHERE %b = ANY(endpoint.events) AND endpoint.disabled_at IS NULL AND (key.person IS NULL OR key.person = %b)
  AND key.approved_at IS NOT NULL AND key.revoked_at IS NULL AND key.expires_at > statement_timestamp()
FOR KEY SHARE OF endpoint
"""
PRUNED_AT_ONCE: Final = 5_000
LONGEST_WAIT: Final = timedelta(days=2)  # no wait is as long: what waits longer was put off by a clock that was ahead


def tell(*, event: str, user_id: UUID, resource: UUID) -> int:
    """Have an event sent to every endpoint that listens, if the transaction commits. Return to how many."""
    with as_system():
        endpoints = [endpoint for (endpoint,) in bulk.run(LISTENING, [event, user_id])]
        if endpoints:
            bulk.insert(
                WebhookDelivery._meta.db_table,
                {"id": ("uuid", [uuid7() for _ in endpoints]), "endpoint": ("uuid", endpoints)},
                same={"event": ("text", event), "person": ("uuid", user_id), "resource": ("uuid", resource)},
            )
    return len(endpoints)


def delete_deliveries_about(user_id: UUID) -> int:
    """Delete what is or was to be sent about a person, who is being erased. Return how many."""
    with as_system():
        return WebhookDelivery.objects.filter(person=user_id).delete()[0]


def prune() -> int:
    """Delete the deliveries that ended more than WEBHOOK_KEPT_DAYS ago. Return how many."""
    before, total = timezone.now() - timedelta(days=settings.WEBHOOK_KEPT_DAYS), 0
    while True:
        with as_system():
            ended = WebhookDelivery.objects.exclude(state="waiting")
            over = ended.filter(finished_at__lt=before).order_by("finished_at")
            ids = list(over.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
            total += WebhookDelivery.objects.filter(pk__in=ids).delete()[0]
        if len(ids) < PRUNED_AT_ONCE:
            return total


def bring_back() -> None:
    """Make due what a clock that was ahead has put off."""
    beyond = timezone.now() + LONGEST_WAIT
    with as_system():
        WebhookDelivery.objects.filter(state="waiting", next_try_at__gt=beyond).update(next_try_at=Now())
        WebhookEndpoint.objects.filter(resting_until__gt=beyond).update(resting_until=Now())
