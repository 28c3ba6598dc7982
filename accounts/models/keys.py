"""The data keys of people, wrapped under the master key."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from vibe.core.crypto.fields import WrappedField
from vibe.core.db.roles import SIGN_IN, SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import OWN, CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import UserOwned


class UserKey(UserOwned):
    """One generation of a person's data key, wrapped by a master key. Once destroyed, its values cannot be opened."""

    generation = models.PositiveSmallIntegerField(default=1)
    wrapped = WrappedField(null=True)
    sealed = models.BigIntegerField(db_default=0)  # approximate number of values: see accounts.keys.services.data_keys
    created_at = models.DateTimeField(db_default=Now())
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "user_keys"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "generation"], name="user_keys_generation"),
            models.CheckConstraint(
                condition=Q(wrapped__isnull=False, destroyed_at=None)
                | Q(wrapped__isnull=True, destroyed_at__isnull=False),
                name="user_keys_kept_or_destroyed",
            ),
            CompositeReference(name="user_keys_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(
                name="user_keys_walls",
                others=[
                    (SUPPORT, "true"),
                    (SYSTEM, "true"),
                    (SIGN_IN, OWN.format(column="user_id", setting="user_id")),
                ],
            ),
            Privileges(name="user_keys_for_user", role=USER, verbs={"SELECT": None, "INSERT": None}),
            Privileges(  # an INSERT returns the columns that the database fills
                name="user_keys_for_sign_in", role=SIGN_IN, verbs={"SELECT": ("sealed", "created_at"), "INSERT": None}
            ),
            Privileges(
                name="user_keys_for_support",
                role=SUPPORT,
                verbs={"SELECT": ("id", "user_id", "generation", "sealed", "created_at", "destroyed_at")},
            ),
            Privileges(
                name="user_keys_for_system",
                role=SYSTEM,
                verbs={"SELECT": None, "UPDATE": ("wrapped", "sealed", "destroyed_at")},
            ),
        ]
