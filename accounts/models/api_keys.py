"""API keys of servers, and their scopes. A person's own token has every scope."""

from __future__ import annotations

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.db.models.lookups import Exact

from vibe.core.db.roles import SIGN_IN, SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import uuid7

SCOPES: Final = {
    "read": "read conversations, memories, stories, preferences",
    "write": "add to them, change and delete them",
    "export": "take everything of a person out",
    "erase": "erase a person",
    "people": "make people, and deactivate them",
}
ALL_SCOPES: Final = frozenset(SCOPES)
PEOPLE: Final = "people"
OF_ONE_PERSON: Final = ALL_SCOPES - {PEOPLE}
"""What a person's own token, and a key for one person, may do."""
KEYS_SHOWN = (
    *("id", "name", "hint", "scopes", "person", "created_at", "expires_at", "last_used_at", "revoked_at"),
    *("made_by", "approved_at", "approved_by"),
)
KEY_SHOWN = "digest = decode(nullif(current_setting('vibe.api_key', true), ''), 'hex')"


class ApiKey(models.Model):
    """A key with which a server of the operator calls the API, for any person it names or for one alone.

    One that staff made in the admin opens what they must not read alone, so it waits until a second one approves it.

    Most keys belong to no person. Only the digest is stored; the sign-in role sees only the key that is presented.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    hint = models.CharField(max_length=20)  # how the key begins, to tell keys apart
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=10))
    person = models.UUIDField(null=True)  # the only one it may act for
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    made_by = models.UUIDField(null=True)  # the member of staff; nobody for one that a command made
    approved_at = models.DateTimeField(null=True, db_default=Now())  # since when it works
    approved_by = models.UUIDField(null=True)  # the second member of staff; nobody in a team of one

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="api_keys_newest"),
            models.Index(fields=["person"], name="api_keys_of_person", condition=Q(person__isnull=False)),
            models.Index(
                fields=["created_at"], name="api_keys_waiting", condition=Q(approved_at=None, revoked_at=None)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Exact(
                    Func(F("digest"), function="octet_length", output_field=models.IntegerField()), Value(32)
                ),
                name="api_keys_digest",
            ),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=sorted(ALL_SCOPES), scopes__len__gt=0), name="api_keys_scopes"
            ),
            models.CheckConstraint(
                condition=~Q(scopes__contains=[PEOPLE]) | Q(person=None), name="api_keys_people_of_nobody"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None)
                | (Q(approved_at__isnull=False, made_by__isnull=False) & ~Q(approved_by=F("made_by"))),
                name="api_keys_four_eyes",
            ),
            CompositeReference(name="api_keys_person", columns=["person"], to="accounts.User", to_columns=["id"]),
            RowSecurity(
                name="api_keys_walls",
                owner="person",
                others=[(SUPPORT, "true"), (SYSTEM, "true"), (SIGN_IN, KEY_SHOWN)],
            ),
            Privileges(name="api_keys_for_user", role=USER, verbs={"SELECT": KEYS_SHOWN}),
            Privileges(name="api_keys_for_sign_in", role=SIGN_IN, verbs={"SELECT": None, "UPDATE": ("last_used_at",)}),
            Privileges(
                name="api_keys_for_support",
                role=SUPPORT,
                verbs={"SELECT": KEYS_SHOWN, "UPDATE": ("revoked_at", "approved_at", "approved_by")},
            ),
            Privileges(
                name="api_keys_for_system",
                role=SYSTEM,
                verbs={"SELECT": KEYS_SHOWN, "INSERT": None, "UPDATE": ("revoked_at",)},
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
