"""What the API remembers between requests: answers to repeat, the last change of a person, rate limits."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from vibe.core.crypto.fields import SealedField
from vibe.core.db.roles import SIGN_IN, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import UserOwned


class KeptAnswer(UserOwned):
    """What a request with an Idempotency-Key was answered, sealed, so that its retry is answered the same."""

    key = models.BinaryField()  # SHA-256 of the key that the caller gave
    answer = SealedField(null=True)  # null only inside the transaction of the first request
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "kept_answers"
        indexes: ClassVar = [models.Index(fields=["created_at"], name="kept_answers_oldest")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="kept_answers_once"),
            CompositeReference(name="kept_answers_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="kept_answers_walls"),
            Privileges(
                name="kept_answers_for_user",
                role=USER,
                verbs={"SELECT": None, "INSERT": None, "UPDATE": ("answer", "created_at")},
            ),
            Privileges(
                name="kept_answers_for_system",
                role=SYSTEM,
                verbs={"SELECT": ("id", "user_id", "created_at"), "DELETE": None},
            ),
        ]


class LastChange(UserOwned):
    """How far the primary's log had come after a person's last change, in bytes: see vibe.core.db.scale.replica.

    Nothing to keep: the table is not logged, empty after a crash, and filled only where there is a replica.
    """

    place = models.BigIntegerField()

    class Meta:
        db_table = "last_changes"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user"], name="last_changes_one_each"),
            CompositeReference(name="last_changes_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="last_changes_walls"),
            Privileges(
                name="last_changes_for_user",
                role=USER,
                verbs={"SELECT": None, "INSERT": None, "UPDATE": ("place",)},
            ),
            Privileges(name="last_changes_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id")}),
        ]


class RateLimit(models.Model):
    """One bucket of requests: see vibe.core.http.rate_limits. The table is not logged, and empty after a crash.

    No index but the name's: the moment moves with each request, which then writes no index at all.
    """

    name = models.CharField(max_length=100, primary_key=True)
    full_at = models.DateTimeField()
    refused = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "rate_limits"
        constraints: ClassVar = [
            Privileges(
                name="rate_limits_for_sign_in",
                role=SIGN_IN,
                verbs={"SELECT": None, "INSERT": None, "UPDATE": None},
            ),
            Privileges(name="rate_limits_for_system", role=SYSTEM, verbs={"SELECT": None, "DELETE": None}),
        ]

    def __str__(self) -> str:
        return self.name
