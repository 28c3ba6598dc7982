"""Exports of people's data, and erasures with their tombstones."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from vibe.core.db.roles import SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import UserOwned, uuid7

EXPORT_SHOWN: Final = (
    *("id", "user_id", "state", "progress", "size", "problem"),
    *("requested_at", "finished_at", "expires_at"),
)
"""Columns of an export that others than its person read: not which companion it is of."""


class Export(UserOwned):
    """A requested copy of the data of a person: its progress, and the expiry of its file.

    With a blind token of a companion it holds what was said to that companion, and nothing else.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"
        REMOVED = "removed"

    companion_token = models.BigIntegerField(null=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    progress = models.PositiveSmallIntegerField(default=0)  # percent
    size = models.PositiveBigIntegerField(default=0)  # bytes of the archive, opened
    problem = models.CharField(max_length=100, blank=True)  # the code of the error it failed with
    requested_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "exports"
        indexes: ClassVar = [
            models.Index(fields=["user", "-requested_at"], name="exports_of_person"),
            models.Index(fields=["expires_at"], name="exports_with_file", condition=Q(state="ready")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], name="exports_one_at_a_time", condition=Q(state__in=["waiting", "running"])
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="exports_percent"),
            models.CheckConstraint(
                condition=~Q(state="ready") | Q(finished_at__isnull=False, expires_at__isnull=False, progress=100),
                name="exports_ready_until",
            ),
            CompositeReference(name="exports_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="exports_walls"),
            Privileges(
                name="exports_for_user",
                role=USER,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": ("state", "progress", "size", "problem", "finished_at", "expires_at"),
                },
            ),
            Privileges(name="exports_for_support", role=SUPPORT, verbs={"SELECT": EXPORT_SHOWN}),
            Privileges(name="exports_for_system", role=SYSTEM, verbs={"SELECT": EXPORT_SHOWN, "UPDATE": ("state",)}),
        ]


class Erasure(models.Model):
    """A scheduled erasure of a person, and later the tombstone. It has no foreign key, as it outlives the person.

    A finished one cannot change, and no person's row in `users` can be deleted without one: see migrations/0007.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.UUIDField(unique=True)
    was_active = models.BooleanField(default=True)  # restored on cancelling
    requested_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    removed = models.JSONField(default=dict)  # rows by table, so far
    finished_at = models.DateTimeField(null=True)
    receipt = models.JSONField(null=True)

    class Meta:
        db_table = "erasures"
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="erasures_to_do", condition=Q(finished_at=None)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(finished_at=None, receipt=None)
                | Q(finished_at__isnull=False, receipt__isnull=False, begun_at__isnull=False),
                name="erasures_finished_with_receipt",
            ),
            Privileges(name="erasures_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(
                name="erasures_for_system",
                role=SYSTEM,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": ("due_at", "begun_at", "removed", "finished_at", "receipt"),
                    "DELETE": None,
                },
            ),
        ]

    def __str__(self) -> str:
        return str(self.person)
