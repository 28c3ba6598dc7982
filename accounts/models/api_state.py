"""State of the API between requests: stored responses, the last change of a person, rate limits."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from vibe.core.crypto.fields import SealedField
from vibe.core.db.roles import SIGN_IN, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import UserOwned


class KeptAnswer(UserOwned):
    """What is kept, sealed, of the answer to a request with an Idempotency-Key: see accounts.idempotency."""

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
    """The primary's WAL position after a person's last change, in bytes: see vibe.core.db.scale.replica.

    Disposable: the table is unlogged, empty after a crash, and filled only where there is a replica.
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
    """One bucket of requests: see vibe.core.http.rate_limits. The table is unlogged, and empty after a crash.

    Only the name is indexed: `full_at` changes with each request, which then updates no index.
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
