"""Conversations and the encrypted memories they consist of."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from vibe.core.crypto.fields import SealedField
from vibe.core.db.roles import SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import OwnedForeignKey, OwnedQuerySet, UserOwned

EVERYTHING = {"SELECT": None, "INSERT": None, "UPDATE": None, "DELETE": None}


class ConversationQuerySet(OwnedQuerySet):
    def active(self) -> ConversationQuerySet:
        """Return those that are not archived, the most recently active first."""
        return self.filter(is_archived=False).order_by("-active_at", "-id")

    def archived(self) -> ConversationQuerySet:
        """Return the archived ones, the most recently active first."""
        return self.filter(is_archived=True).order_by("-active_at", "-id")


class Conversation(UserOwned):
    """One conversation of a person with the companion."""

    external_id = models.CharField(max_length=200, null=True, blank=True)
    title = SealedField(null=True)
    description = SealedField(null=True)
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
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "id"], name="conversations_owner"),
            models.UniqueConstraint(fields=["user", "external_id"], name="conversations_external_id"),
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


class Memory(UserOwned):
    """One message, or several, sealed as one payload; memories.payload describes its content."""

    conversation = OwnedForeignKey(Conversation, related_name="memories")
    message_ids = ArrayField(models.CharField(max_length=200))
    payload = SealedField()
    occurred_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "encrypted_memories"
        verbose_name_plural = "memories"
        indexes: ClassVar = [
            GinIndex(fields=["message_ids"], name="memories_message_ids"),
            models.Index(fields=["user", "conversation", "occurred_at", "id"], name="memories_in_order"),
        ]
        constraints: ClassVar = [
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
                        *("id", "user_id", "conversation_id", "message_ids"),
                        *("occurred_at", "revision", "created_at", "updated_at"),
                    )
                },
            ),
            Privileges(name="memories_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id", "created_at")}),
        ]
