"""Conversations and the encrypted memories they consist of."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from memories.roles import Role
from vibe.core.crypto.fields import SealedField
from vibe.core.db.roles import SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import OwnedForeignKey, OwnedQuerySet, UserOwned, first_uuid7_at

EVERYTHING = {"SELECT": None, "INSERT": None, "UPDATE": None, "DELETE": None}


class ConversationQuerySet(OwnedQuerySet):
    def newest_first(self) -> ConversationQuerySet:
        """Return them with the most recently active first."""
        return self.order_by("-active_at", "-id")

    def active(self) -> ConversationQuerySet:
        """Return those that are not archived, the most recently active first."""
        return self.filter(is_archived=False).newest_first()

    def with_companion(self, token: int) -> ConversationQuerySet:
        """Return those with a companion, given as the blind token of its name."""
        return self.filter(companion_token=token)

    def archived(self) -> ConversationQuerySet:
        """Return the archived ones, the most recently active first."""
        return self.filter(is_archived=True).newest_first()


class Conversation(UserOwned):
    """One conversation of a person with the companion."""

    external_id = models.CharField(max_length=200, null=True, blank=True)
    title = SealedField(null=True)
    description = SealedField(null=True)
    companion = SealedField(null=True)
    companion_token = models.BigIntegerField(null=True, editable=False)
    is_archived = models.BooleanField(default=False)
    memory_count = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    active_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar = ConversationQuerySet.as_manager()

    class Meta:
        db_table = "conversations"
        indexes: ClassVar = [
            models.Index(
                fields=["user", "-active_at", "-id"], name="conversations_active", condition=Q(is_archived=False)
            ),
            models.Index(
                fields=["user", "-active_at", "-id"], name="conversations_archived", condition=Q(is_archived=True)
            ),
            models.Index(
                fields=["user", "companion_token"],
                name="conversations_companion",
                condition=Q(companion_token__isnull=False),
            ),
            models.Index(
                fields=["external_id"],
                opclasses=["varchar_pattern_ops"],  # serves whole names and how they begin
                name="conversations_by_name",
                condition=Q(external_id__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "id"], name="conversations_owner"),
            models.UniqueConstraint(fields=["user", "external_id"], name="conversations_external_id"),
            models.CheckConstraint(
                condition=Q(companion__isnull=True, companion_token__isnull=True)
                | Q(companion__isnull=False, companion_token__isnull=False),
                name="conversations_companion_and_token",
            ),
            CompositeReference(name="conversations_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="conversations_walls"),
            Privileges(name="conversations_for_user", role=USER, verbs=EVERYTHING),
            Privileges(
                name="conversations_for_support",
                role=SUPPORT,
                verbs={
                    "SELECT": (
                        *("id", "user_id", "external_id", "is_archived", "memory_count"),
                        *("started_at", "active_at", "revision", "created_at", "updated_at"),
                    ),
                    "UPDATE": ("is_archived", "updated_at"),
                },
            ),
            Privileges(name="conversations_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id", "created_at")}),
        ]


class StorageCount(UserOwned):
    """A part of how much is stored of a person: see memories.storage. The sum of a person's rows is what counts.

    A part may be below zero: what one row counted may be taken from another. No index holds what changes.
    """

    is_base = models.BooleanField(default=False)
    memories = models.BigIntegerField()
    bytes = models.BigIntegerField()
    day = models.DateField()
    day_memories = models.BigIntegerField()
    day_bytes = models.BigIntegerField()

    class Meta:
        db_table = "storage_counts"
        indexes: ClassVar = [models.Index(fields=["user"], name="storage_counts_of_user")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user"], name="storage_counts_one_base", condition=Q(is_base=True)),
            CompositeReference(name="storage_counts_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="storage_counts_walls"),
            Privileges(
                name="storage_counts_for_user",
                role=USER,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": ("memories", "bytes", "day", "day_memories", "day_bytes"),
                },
            ),
            Privileges(name="storage_counts_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(name="storage_counts_for_system", role=SYSTEM, verbs={"SELECT": None}),
        ]


UNEXPIRED: Final = "(expires_at IS NULL OR expires_at > statement_timestamp())"
"""SQL for the same as MemoryQuerySet.of, where a statement is written by hand."""


class MemoryQuerySet(OwnedQuerySet):
    def of(self, user_id: UUID) -> Self:
        """Return one person's memories without the expired ones, which nobody reads from that moment on."""
        return super().of(user_id).filter(Q(expires_at=None) | Q(expires_at__gt=Now()))

    def expired(self) -> Self:
        """Return those that have expired and wait for their deletion. `of` leaves them out, so not after it."""
        return self.filter(expires_at__lte=Now())

    def past_retention(self) -> Self:
        """Return those that were stored more than MEMORY_RETENTION_DAYS ago."""
        days = settings.MEMORY_RETENTION_DAYS
        return self.filter(pk__lt=first_uuid7_at(timezone.now() - timedelta(days=days))) if days else self.none()


class Memory(UserOwned):
    """One message, or several, sealed as one payload; memories.payload describes its content."""

    conversation = OwnedForeignKey(Conversation, related_name="memories")
    message_ids = ArrayField(models.CharField(max_length=200))
    role = models.CharField(max_length=9, choices=Role, db_default=Role.OTHER)
    payload = SealedField()
    occurred_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = MemoryQuerySet.as_manager()

    class Meta:
        db_table = "encrypted_memories"
        verbose_name_plural = "memories"
        indexes: ClassVar = [
            GinIndex(fields=["message_ids"], name="memories_message_ids"),
            models.Index(fields=["user", "conversation", "occurred_at", "id"], name="memories_in_order"),
            models.Index(fields=["expires_at"], name="memories_expiring", condition=Q(expires_at__isnull=False)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="memories_role"),
            models.UniqueConstraint(fields=["user", "id"], name="memories_owner"),
            CompositeReference(
                name="memories_conversation", columns=["user_id", "conversation_id"], to="memories.Conversation"
            ),
            RowSecurity(name="memories_walls"),
            Privileges(name="memories_for_user", role=USER, verbs=EVERYTHING),
            Privileges(
                name="memories_for_support",
                role=SUPPORT,
                verbs={
                    "SELECT": (
                        *("id", "user_id", "conversation_id", "message_ids", "role"),
                        *("occurred_at", "expires_at", "revision", "created_at", "updated_at"),
                    )
                },
            ),
            Privileges(
                name="memories_for_system",
                role=SYSTEM,
                verbs={"SELECT": ("id", "user_id", "created_at", "expires_at")},
            ),
        ]


class Import(UserOwned):
    """A file of conversations that a person uploads: how far it is, and what came of it.

    The file waits sealed: see memories.imports.uploads. Problems name places and fields, and quote nothing.
    """

    class State(models.TextChoices):
        UPLOADING = "uploading"
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    form = models.CharField(max_length=10)
    dry_run = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADING)
    progress = models.PositiveSmallIntegerField(default=0)  # percent
    size = models.PositiveBigIntegerField(default=0)  # bytes of the file, opened
    counts = models.JSONField(default=dict)
    passed_over = models.JSONField(default=dict)  # how many, by kind
    problems = models.JSONField(default=list)
    problem = models.CharField(max_length=100, blank=True)  # the code of the error it failed with
    requested_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "imports"
        indexes: ClassVar = [
            models.Index(fields=["user", "-requested_at"], name="imports_of_person"),
            models.Index(
                fields=["requested_at"],
                name="imports_unfinished",
                condition=Q(state__in=["uploading", "waiting", "running"]),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"],
                name="imports_one_at_a_time",
                condition=Q(state__in=["uploading", "waiting", "running"]),
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="imports_percent"),
            CompositeReference(name="imports_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="imports_walls"),
            Privileges(
                name="imports_for_user",
                role=USER,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": (
                        *("state", "progress", "size", "counts"),
                        *("passed_over", "problems", "problem", "finished_at"),
                    ),
                },
            ),
            Privileges(name="imports_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(name="imports_for_system", role=SYSTEM, verbs={"SELECT": None}),
        ]
