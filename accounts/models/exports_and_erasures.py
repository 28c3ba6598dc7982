"""Exports of people's data, and erasures with their tombstones."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import F, Q
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
    """An erasure of a person: requested, scheduled, and later the tombstone. No foreign key, as it outlives the person.

    One that staff requested may wait for a second person: until then it has no `due_at`, and nothing happens.

    A finished one cannot change, and no person's row in `users` can be deleted without one: see migrations/0007.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.UUIDField(unique=True)
    was_active = models.BooleanField(default=True)  # restored on cancelling
    requested_at = models.DateTimeField(db_default=Now())
    requested_by = models.UUIDField(null=True)  # of the staff; null for the person themself, and for commands
    reason = models.TextField(db_default="")
    ticket = models.CharField(max_length=200, db_default="")
    needs_approval = models.BooleanField(db_default=False)
    approved_by = models.UUIDField(null=True)
    approved_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
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
            models.CheckConstraint(condition=Q(begun_at=None) | Q(due_at__isnull=False), name="erasures_due_first"),
            models.CheckConstraint(
                condition=Q(needs_approval=False) | Q(due_at=None) | Q(approved_by__isnull=False),
                name="erasures_approved_first",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | (Q(approved_at__isnull=False, requested_by__isnull=False) & ~Q(approved_by=F("requested_by"))),
                name="erasures_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(requested_by=None) | (~Q(reason="") & ~Q(ticket="")), name="erasures_say_why"
            ),
            Privileges(name="erasures_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(
                name="erasures_for_system",
                role=SYSTEM,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": (
                        *("was_active", "needs_approval", "approved_by", "approved_at", "due_at"),
                        *("begun_at", "removed", "finished_at", "receipt"),
                    ),
                    "DELETE": None,
                },
            ),
        ]

    def __str__(self) -> str:
        return str(self.person)
