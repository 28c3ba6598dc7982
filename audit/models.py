"""Models of the audit log: one row per request or action, in monthly partitions, and the signed checkpoints.

There are no foreign keys: a row outlives what it refers to. Rows are never changed or deleted; the triggers and
privileges in migrations/0001_trail.py enforce this.
"""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Func, Q
from django.utils import timezone

from vibe.core.db.roles import SIGN_IN, STAFF, SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import Privileges, RowSecurity
from vibe.core.db.schema.owned import uuid7

APPEND = {"INSERT": None}
READ = {"SELECT": None}
TRANSACTION = Func(
    function="pg_current_xact_id", template="(%(function)s()::text::bigint)", output_field=models.BigIntegerField()
)


class TrailQuerySet(models.QuerySet["AuditLog"]):
    """The rows of the audit log that the current scope may read."""

    def about(self, subject: UUID) -> Self:
        """Return what was done with one person's data."""
        return self.filter(subject=subject)

    def by(self, actor: UUID | str) -> Self:
        """Return what one person, member of staff, command or job did."""
        return self.exclude(actor="").filter(actor=str(actor))

    def of(self, resource: str) -> Self:
        """Return what happened to one resource, by its name in the audit log."""
        return self.exclude(resource="").filter(resource=resource)


class AuditLog(models.Model):
    """One recorded action: actor, subject, origin and outcome. Ids and field names only, never content."""

    class ActorKind(models.TextChoices):
        PERSON = "person"
        STAFF = "staff"
        SYSTEM = "system"
        ANONYMOUS = "anonymous"

    class Outcome(models.TextChoices):
        OK = "ok"
        REFUSED = "refused"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor = models.CharField(max_length=200, blank=True)
    subject = models.UUIDField(null=True)
    action = models.CharField(max_length=100)
    resource = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.CharField(max_length=500, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=512, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict)
    mac = models.BinaryField()  # 32 bytes, see audit.proof.keys
    xact = models.BigIntegerField(db_default=TRANSACTION)  # the transaction that wrote it, see audit.proof.unsealed

    objects = TrailQuerySet.as_manager()

    class Meta:
        db_table = "audit_logs"
        indexes: ClassVar = [
            models.Index(
                fields=["subject", "-at", "-id"], name="audit_logs_subject", condition=Q(subject__isnull=False)
            ),
            models.Index(
                fields=["subject", "-at", "-id"],
                name="audit_logs_subject_staff",
                condition=Q(actor_kind="staff", subject__isnull=False),
            ),
            models.Index(fields=["actor", "-at", "-id"], name="audit_logs_actor", condition=~Q(actor="")),
            models.Index(fields=["resource", "-at", "-id"], name="audit_logs_resource", condition=~Q(resource="")),
            models.Index(fields=["-at", "-id"], name="audit_logs_newest"),
            models.Index(fields=["-at", "-id"], name="audit_logs_refused", condition=~Q(outcome="ok")),
            models.Index(
                fields=["-at", "-id"],
                name="audit_logs_fruitless",
                condition=Q(action="memories.search", details__memories=[])
                | Q(action="stories.search", details__stories=[]),
            ),
            models.Index(fields=["xact"], name="audit_logs_xact"),
        ]
        constraints: ClassVar = [
            RowSecurity(
                name="audit_logs_walls",
                owner="subject",
                others=[(SUPPORT, "true"), (SYSTEM, "true"), (STAFF, "true"), (SIGN_IN, "true")],
            ),
            Privileges(name="audit_logs_for_user", role=USER, verbs={**READ, **APPEND}),
            Privileges(name="audit_logs_for_support", role=SUPPORT, verbs={**READ, **APPEND}),
            Privileges(name="audit_logs_for_system", role=SYSTEM, verbs={**READ, **APPEND}),
            Privileges(name="audit_logs_for_staff", role=STAFF, verbs=APPEND),
            Privileges(name="audit_logs_for_sign_in", role=SIGN_IN, verbs=APPEND),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome} {self.id}"


class AuditLeaf(models.Model):
    """The position of one row in the sealed order, and its leaf hash (RFC 6962)."""

    position = models.BigIntegerField(primary_key=True)
    row_id = models.UUIDField(unique=True)
    row_at = models.DateTimeField()
    leaf = models.BinaryField()

    class Meta:
        db_table = "audit_leaves"
        verbose_name_plural = "audit leaves"
        constraints: ClassVar = [
            Privileges(name="audit_leaves_for_system", role=SYSTEM, verbs={**READ, **APPEND}),
            Privileges(name="audit_leaves_for_support", role=SUPPORT, verbs=READ),
        ]

    def __str__(self) -> str:
        return str(self.position)


class AuditCheckpoint(models.Model):
    """One signed link of the chain; audit.proof.checkpoint explains its fields and signature."""

    number = models.BigIntegerField(primary_key=True)
    first = models.BigIntegerField()
    count = models.BigIntegerField()
    root = models.BinaryField()
    previous = models.BinaryField()
    at = models.DateTimeField()
    key_id = models.BinaryField()
    row_format = models.PositiveSmallIntegerField()
    signature = models.BinaryField()

    class Meta:
        db_table = "audit_checkpoints"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["first"], name="audit_checkpoints_first"),
            Privileges(name="audit_checkpoints_for_system", role=SYSTEM, verbs={**READ, **APPEND}),
            Privileges(name="audit_checkpoints_for_support", role=SUPPORT, verbs=READ),
        ]

    def __str__(self) -> str:
        return str(self.number)


class AuditPruning(models.Model):
    """A signed statement that a month was dropped past its retention, to distinguish it from tampering."""

    month = models.DateField(primary_key=True)
    count = models.BigIntegerField()
    digest = models.BinaryField()
    at = models.DateTimeField()
    key_id = models.BinaryField()
    signature = models.BinaryField()

    class Meta:
        db_table = "audit_prunings"
        constraints: ClassVar = [
            Privileges(name="audit_prunings_for_system", role=SYSTEM, verbs={**READ, **APPEND}),
            Privileges(name="audit_prunings_for_support", role=SUPPORT, verbs=READ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class AuditSealer(models.Model):
    """Progress of the sealer. It only saves time: `verify_audit` examines every row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    snapshot = models.TextField(blank=True)  # pg_snapshot: rows visible in it are sealed
    shift = models.BigIntegerField(default=0)  # added to transaction ids since the last restore
    written = models.BigIntegerField(default=0)  # the newest checkpoint in the log stream

    class Meta:
        db_table = "audit_sealer"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="audit_sealer_is_one"),
            Privileges(name="audit_sealer_for_system", role=SYSTEM, verbs={**READ, **APPEND, "UPDATE": None}),
        ]

    def __str__(self) -> str:
        return "sealer"
