"""Access grants: permission for one member of staff to read one person's content for a limited time."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from vibe.core.db.roles import SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import UserOwned

LONGEST = timedelta(days=7)  # hard limit of a grant; the setting GRANT_LONGEST_HOURS can only lower it


class AccessGrant(UserOwned):
    """Permission for one member of staff to read one person's content: requested, decided by another, ended or expired.

    A trigger ensures that its state only moves forward: see migrations/0003.
    """

    requested_by = models.UUIDField()
    reason = models.TextField()
    ticket = models.CharField(max_length=200)
    requested_at = models.DateTimeField(db_default=Now())
    duration = models.DurationField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    approved = models.BooleanField(null=True)
    sole = models.BooleanField(default=False)  # decided by the requester, in a team of one
    expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.UUIDField(null=True)

    class Meta:
        db_table = "access_grants"
        indexes: ClassVar = [
            models.Index(fields=["user", "-requested_at"], name="access_grants_of_person"),
            models.Index(fields=["requested_by", "-requested_at"], name="access_grants_of_staff"),
            models.Index(fields=["-requested_at"], name="access_grants_newest"),
            models.Index(
                fields=["requested_at"], name="access_grants_waiting", condition=Q(approved=None, ended_at=None)
            ),
            models.Index(fields=["expires_at"], name="access_grants_open", condition=Q(approved=True, ended_at=None)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_at=None, approved=None, decided_by=None)
                | Q(decided_at__isnull=False, approved__isnull=False, decided_by__isnull=False),
                name="access_grants_decided_whole",
            ),
            models.CheckConstraint(
                condition=Q(approved=True, expires_at__isnull=False) | ~Q(approved=True) | Q(approved=None),
                name="access_grants_expire",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None, sole=False)
                | (Q(sole=False) & ~Q(decided_by=F("requested_by")))
                | Q(sole=True, decided_by=F("requested_by")),
                name="access_grants_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(duration__gt=timedelta(0), duration__lte=LONGEST), name="access_grants_bounded"
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__lte=F("decided_at") + F("duration")),
                name="access_grants_no_longer_than_asked",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="access_grants_ended_whole",
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(ticket=""), name="access_grants_say_why"),
            CompositeReference(name="access_grants_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="access_grants_walls"),
            Privileges(name="access_grants_for_user", role=USER, verbs={"SELECT": None}),
            Privileges(
                name="access_grants_for_support",
                role=SUPPORT,
                verbs={
                    "SELECT": None,
                    "INSERT": None,
                    "UPDATE": ("decided_by", "decided_at", "approved", "sole", "expires_at", "ended_at", "ended_by"),
                },
            ),
            Privileges(
                name="access_grants_for_system", role=SYSTEM, verbs={"SELECT": None, "UPDATE": ("ended_at", "ended_by")}
            ),
        ]
