"""Webhooks: the addresses that API keys have events sent to, and what is sent, or was."""

from __future__ import annotations

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from vibe.core.crypto.fields import WrappedField
from vibe.core.crypto.seal import Address
from vibe.core.db.roles import SUPPORT, SYSTEM
from vibe.core.db.schema.constraints import CompositeReference, Privileges
from vibe.core.db.schema.owned import uuid7

STORY_BUILT: Final = "story.built"
IMPORT_READY: Final = "import.ready"
EXPORT_READY: Final = "export.ready"
ERASURE_DONE: Final = "erasure.done"
GRANT_OPENED: Final = "grant.opened"
EVENTS: Final = {
    STORY_BUILT: "a story was built, for the first time or again",
    IMPORT_READY: "an import is done",
    EXPORT_READY: "an export can be downloaded",
    ERASURE_DONE: "a person is erased",
    GRANT_OPENED: "staff may read a person's content for a while",
}
LONGEST_URL: Final = 500  # characters
LONGEST_EVENT: Final = 20
SHOWN: Final = ("id", "api_key", "url", "events", "created_at", "old_secret_until", "failing_since", "disabled_at")
WHY_DISABLED: Final = "disabled_why"


class WebhookEndpoint(models.Model):
    """An address that an API key has events sent to. Its secrets are wrapped under the master key."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    api_key = models.UUIDField()
    url = models.CharField(max_length=LONGEST_URL)
    events = ArrayField(models.CharField(max_length=LONGEST_EVENT))
    secret = WrappedField()
    old_secret = WrappedField(null=True)  # signs too, until the receiver has the new one
    old_secret_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    resting_until = models.DateTimeField(db_default=Now())  # nothing is sent before: a worker has it, or it fails
    failing_since = models.DateTimeField(null=True)  # the first failure after the last success
    disabled_at = models.DateTimeField(null=True)
    disabled_why = models.CharField(max_length=200, db_default="")

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "webhook"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["api_key", "url"], name="webhook_endpoints_once"),
            models.CheckConstraint(
                condition=Q(events__contained_by=sorted(EVENTS), events__len__gt=0), name="webhook_endpoints_events"
            ),
            models.CheckConstraint(
                condition=Q(old_secret__isnull=True, old_secret_until__isnull=True)
                | Q(old_secret__isnull=False, old_secret_until__isnull=False),
                name="webhook_endpoints_old_secret",
            ),
            CompositeReference(
                name="webhook_endpoints_key", columns=["api_key"], to="accounts.ApiKey", to_columns=["id"]
            ),
            Privileges(name="webhook_endpoints_for_support", role=SUPPORT, verbs={"SELECT": (*SHOWN, WHY_DISABLED)}),
            Privileges(
                name="webhook_endpoints_for_system",
                role=SYSTEM,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": (
                        *("url", "events", "secret", "old_secret", "old_secret_until"),
                        *("resting_until", "failing_since", "disabled_at", "disabled_why"),
                    ),
                    "DELETE": None,
                },
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    def secret_address(self, column: str) -> Address:
        """Return the address of one of the two secrets."""
        return Address("webhook_endpoints", column, self.api_key, self.pk, 1)


class WebhookDelivery(models.Model):
    """One event for one endpoint: the outbox while it waits, the record afterwards.

    It is written in the transaction of what it tells. It has no foreign key to the person: an erasure is told after it.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        GIVEN_UP = "given up"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.UUIDField()
    event = models.CharField(max_length=LONGEST_EVENT)
    person = models.UUIDField()
    resource = models.UUIDField()  # what happened: the id of a story, an import, an export, an erasure, a grant
    created_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=10, choices=State, db_default=State.WAITING)
    tries = models.PositiveSmallIntegerField(db_default=0)
    next_try_at = models.DateTimeField(null=True, db_default=Now())
    failure = models.CharField(max_length=200, db_default="")  # of the last try, in words of ours
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        indexes: ClassVar = [
            models.Index(
                fields=["endpoint", "next_try_at", "id"], name="webhook_deliveries_due", condition=Q(state="waiting")
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_deliveries_endpoint"),
            models.Index(fields=["person"], name="webhook_deliveries_person"),
            models.Index(fields=["finished_at"], name="webhook_deliveries_over", condition=~Q(state="waiting")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="waiting", next_try_at__isnull=False, finished_at=None)
                | (~Q(state="waiting") & Q(next_try_at=None, finished_at__isnull=False)),
                name="webhook_deliveries_finished",
            ),
            CompositeReference(
                name="webhook_deliveries_webhook",
                columns=["endpoint"],
                to="accounts.WebhookEndpoint",
                to_columns=["id"],
            ),
            Privileges(name="webhook_deliveries_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(
                name="webhook_deliveries_for_system",
                role=SYSTEM,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": ("state", "tries", "next_try_at", "failure", "finished_at"),
                    "DELETE": None,
                },
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
