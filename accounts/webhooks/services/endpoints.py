"""Making, changing, rotating and deleting webhooks, and sending a delivery again. Each verb is one transaction.

A webhook belongs to an API key. `api_key` restricts a verb to the webhooks of one; None, for staff, does not.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from accounts.keys.master_key import ring, wrapping_ring
from accounts.models import ApiKey, WebhookDelivery, WebhookEndpoint
from accounts.models.webhooks import EVENTS
from accounts.webhooks.addresses import Target
from accounts.webhooks.services.delivering import STATE, disable
from accounts.webhooks.signing import new_secret, secret_text
from audit.actors import Actor
from audit.services import record
from vibe.core.db.scopes import as_system
from vibe.core.errors import Conflict, InputError, NotFound

MOST_ENDPOINTS: Final = 10  # of one API key
LOOK_UP_SECONDS: Final = 3.0
OVERLAP: Final = timedelta(days=1)  # that the secret of before signs too, after a rotation


class WebhookThere(Conflict):
    message = "This API key has a webhook with that address already. Change that one."
    code = "webhook-there"


def check_address(url: str) -> None:
    """Raise InputError for an address that webhooks may not go to now. It waits for a look-up: hold no transaction."""
    Target.of(url).addresses(LOOK_UP_SECONDS)


def make_webhook(*, api_key: UUID, url: str, events: Collection[str], actor: Actor) -> tuple[WebhookEndpoint, str]:
    """Make a webhook for an API key, to a checked address. Return it with its secret, which is not shown again.

    Raises NotFound, InputError for an address or events that are none, or too many webhooks; WebhookThere.
    """
    Target.of(url)
    secret, row = new_secret(), WebhookEndpoint(api_key=api_key, url=url, events=known(events))
    with as_system():
        # One after the other for each key, so that they can be counted.
        if not ApiKey.objects.select_for_update(no_key=True).only("pk").filter(pk=api_key, revoked_at=None).exists():
            raise NotFound("There is no such API key, or it is revoked.")
        require_free(api_key, url)
        if WebhookEndpoint.objects.filter(api_key=api_key).count() >= MOST_ENDPOINTS:
            raise InputError(f"An API key has {MOST_ENDPOINTS} webhooks at most. Delete one first.")
        row.secret = wrapping_ring().wrap(secret, row.secret_address("secret"))
        row.save(force_insert=True)
        _note("make", row.pk, actor, details={"api_key": str(api_key), "events": row.events})
        return get_webhook(webhook_id=row.pk), secret_text(secret)


def list_webhooks(*, api_key: UUID) -> list[WebhookEndpoint]:
    """Return the webhooks of an API key, the oldest first."""
    with as_system():
        return list(WebhookEndpoint.objects.filter(api_key=api_key).order_by("pk"))


def get_webhook(*, webhook_id: UUID, api_key: UUID | None = None) -> WebhookEndpoint:
    """Return a webhook. Raises NotFound."""
    with as_system():
        return get(webhook_id, api_key)


def change_webhook(
    *,
    webhook_id: UUID,
    actor: Actor,
    api_key: UUID | None = None,
    url: str | None = None,
    events: Collection[str] | None = None,
    active: bool | None = None,
) -> WebhookEndpoint:
    """Change what is given: the address, which is checked, the events, whether it is active.

    Disabling gives up what waits. Raises NotFound, InputError, WebhookThere.
    """
    with as_system():
        row = get(webhook_id, api_key, lock=True)
        changed: dict[str, Any] = {}
        if url is not None and url != row.url:
            Target.of(url)
            require_free(row.api_key, url)
            changed["url"] = url
        if events is not None:
            changed["events"] = known(events)
        if active and row.disabled_at:
            changed.update(disabled_at=None, disabled_why="", failing_since=None, resting_until=Now())
        if changed:
            WebhookEndpoint.objects.filter(pk=row.pk).update(**changed)
            _note("change", row.pk, actor, details={"fields": sorted(changed)})
        if active is False:
            disable(row.pk, "It was disabled by hand.", actor=actor, by_hand=True)
        return get(webhook_id, api_key)


def rotate_secret(*, webhook_id: UUID, actor: Actor, api_key: UUID | None = None) -> tuple[WebhookEndpoint, str]:
    """Make a new secret. Return it, which is not shown again. For a day the one of before signs too.

    Raises NotFound, KeyServiceUnavailable.
    """
    secret = new_secret()
    with as_system():
        row = get(webhook_id, api_key, lock=True)
        before = ring().unwrap(row.secret, row.secret_address("secret"))
        wrapping = wrapping_ring()
        row.old_secret = wrapping.wrap(before, row.secret_address("old_secret"))
        row.secret = wrapping.wrap(secret, row.secret_address("secret"))
        row.old_secret_until = timezone.now() + OVERLAP
        row.save(update_fields=["secret", "old_secret", "old_secret_until"])
        _note("rotate", row.pk, actor)
        return row, secret_text(secret)


def delete_webhook(*, webhook_id: UUID, actor: Actor, api_key: UUID | None = None) -> None:
    """Delete a webhook, its secrets and its deliveries. Raises NotFound."""
    with as_system():
        row = get(webhook_id, api_key, lock=True)
        WebhookEndpoint.objects.filter(pk=row.pk).delete()
        _note("delete", row.pk, actor)


def redeliver(*, delivery_id: UUID, actor: Actor) -> None:
    """Have a delivery that ended sent again, under its id, with all of its tries. Raises NotFound and InputError."""
    with as_system():
        row = WebhookDelivery.objects.select_for_update(no_key=True).filter(pk=delivery_id).first()
        if row is None:
            raise NotFound("There is no such delivery.")
        if row.state == STATE.WAITING:
            raise InputError("It waits already. It is sent by itself.")
        if not WebhookEndpoint.objects.filter(pk=row.endpoint, disabled_at=None).exists():
            raise InputError("Its webhook is disabled. Enable that first.")
        WebhookDelivery.objects.filter(pk=row.pk).update(
            state=STATE.WAITING, tries=0, next_try_at=Now(), finished_at=None
        )
        record(actor=actor, action="webhook.redeliver", resource=f"webhook_deliveries/{row.pk}")


def get(webhook_id: UUID, api_key: UUID | None, *, lock: bool = False) -> WebhookEndpoint:
    """Read a webhook, locked until the transaction ends if it is to be changed. Raises NotFound."""
    rows = WebhookEndpoint.objects.filter(pk=webhook_id, **({"api_key": api_key} if api_key else {}))
    found = (rows.select_for_update(no_key=True) if lock else rows).first()
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def require_free(api_key: UUID, url: str) -> None:
    """Raise WebhookThere if the key has a webhook with that address."""
    there = WebhookEndpoint.objects.filter(api_key=api_key, url=url).values_list("pk", flat=True).first()
    if there:
        raise WebhookThere(existing=there)


def known(events: Collection[str]) -> list[str]:
    """Return events in order, each once. Raises InputError for none, or one that does not exist."""
    if not events or not EVENTS.keys() >= set(events):
        raise InputError(f"A webhook needs events out of: {', '.join(EVENTS)}.")
    return sorted(set(events))


def _note(what: str, webhook_id: UUID, actor: Actor, **more: Any) -> None:
    """Record an action on a webhook in the audit log."""
    record(actor=actor, action=f"webhook.{what}", resource=f"webhook_endpoints/{webhook_id}", **more)
