"""People and staff, the keys of people, their preferences, and who was let in to see them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import IntegrityError, models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact, LessThanOrEqual

from accounts.one_time_device import OneTimeDevice
from accounts.scopes import ALL_SCOPES
from accounts.takeout import Erasure, Export
from audit.actors import Actor
from audit.services import record
from vibe.crypto.fields import SealedField, WrappedField
from vibe.db.constraints import OWN, CompositeReference, Privileges, RowSecurity
from vibe.db.contexts import as_staff
from vibe.db.owned import UserOwned, uuid7
from vibe.db.roles import SIGN_IN, STAFF, SUPPORT, SYSTEM, USER
from vibe.errors import InputError

__all__ = [
    "AccessGrant", "ApiKey", "Erasure", "Export", "KeptAnswer", "LastChange", "OneTimeDevice", "RateLimit", "User",
    "UserKey", "UserPreferences",
]  # fmt: skip

PREFERENCES_BYTES = 65_536
KEYS_SHOWN = ("id", "name", "hint", "scopes", "person", "created_at", "expires_at", "last_used_at", "revoked_at")
LONGEST = timedelta(days=7)  # that a grant can last at all; the setting GRANT_LONGEST_HOURS is for less
PROFILE = ("id", "firebase_uid", "email", "email_verified", "is_active", "is_staff", "created_at", "updated_at")
SIGNED_IN = ("last_login", "tokens_valid_since")
STANDING = (*PROFILE, *SIGNED_IN, "is_superuser")
SIGNING_IN = "firebase_uid = nullif(current_setting('vibe.firebase_uid', true), '')"
KEY_SHOWN = "digest = decode(nullif(current_setting('vibe.api_key', true), ''), 'hex')"


class UserManager(BaseUserManager["User"]):
    """Accounts. What it makes are members of staff; people come in by `accounts.services`."""

    def create_user(self, email: str, password: str | None = None, *, role: str = "", **fields: Any) -> User:
        """A member of staff who signs in with email and password, and has a role: a name of accounts.groups.

        Raises InputError when the email is taken.
        """
        user = self.model(email=self.normalize_email(email), is_staff=True, **fields)
        user.set_password(password)
        try:
            with as_staff():
                user.save(force_insert=True)
                if role:
                    user.groups.add(Group.objects.get(name=role))
                record(
                    actor=Actor.system("accounts.create_user"),
                    action="staff.create",
                    resource=f"users/{user.pk}",
                    details={"role": role} if role else {},
                )
        except IntegrityError:
            raise InputError("There is an account with that email address already.") from None
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A member of staff with every permission in the admin."""
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """A member of staff by email, ignoring case. Raises DoesNotExist, with the caller's transaction unharmed."""
        with as_staff():
            found = self.filter(Exact(Lower("email"), (username or "").lower())).first()
        if found is None:
            raise self.model.DoesNotExist
        return found


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by their Firebase UID, or a member of staff, who has none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    firebase_uid = models.CharField("Firebase UID", max_length=128, null=True, blank=True, unique=True)
    email = models.EmailField(null=True, blank=True)
    email_verified = models.BooleanField(default=False)
    name = WrappedField(null=True, editable=False)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, editable=False)
    tokens_valid_since = models.DateTimeField(null=True, editable=False)  # those of earlier sign-ins are revoked
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        permissions: ClassVar = [("see_health", "Can see the health of the database")]  # which is no table's
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="users_newest"),
            models.Index(OpClass(Lower("email"), "text_pattern_ops"), name="users_email_beginning"),
            models.Index(fields=["id"], name="users_staff", condition=Q(is_staff=True)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="users_email_unique"),
            models.CheckConstraint(
                condition=Q(is_staff=True, firebase_uid=None) | Q(is_staff=False, firebase_uid__isnull=False),
                name="users_person_or_staff",
            ),
            models.CheckConstraint(condition=Q(is_staff=True) | Q(is_superuser=False), name="users_only_staff_rule"),
            RowSecurity(
                name="users_walls",
                owner="id",
                others=[(SUPPORT, "true"), (SYSTEM, "true"), (STAFF, "is_staff"), (SIGN_IN, SIGNING_IN)],
            ),
            Privileges(
                name="users_for_user",
                role=USER,
                verbs={"SELECT": (*PROFILE, "name"), "UPDATE": ("email", "email_verified", "name", "updated_at")},
            ),
            Privileges(
                name="users_for_sign_in",
                role=SIGN_IN,
                verbs={"SELECT": (*PROFILE, *SIGNED_IN), "INSERT": None, "UPDATE": ("last_login",)},
            ),
            Privileges(
                name="users_for_support",
                role=SUPPORT,
                verbs={"SELECT": STANDING, "UPDATE": ("is_active", "last_login", "tokens_valid_since", "updated_at")},
            ),
            Privileges(
                name="users_for_staff",
                role=STAFF,
                verbs={"SELECT": None, "INSERT": None, "UPDATE": None, "DELETE": None},
            ),
            Privileges(
                name="users_for_system",
                role=SYSTEM,
                verbs={"SELECT": (*STANDING, "name"), "UPDATE": ("name",), "DELETE": None},
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class UserKey(UserOwned):
    """One generation of a person's data key, wrapped by a master key. Destroyed, it leaves nothing to open."""

    generation = models.PositiveSmallIntegerField(default=1)
    wrapped = WrappedField(null=True)
    sealed = models.BigIntegerField(db_default=0)  # values under it, about: see accounts.key_use
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
            Privileges(  # an INSERT gives back what the database made
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


class UserPreferences(UserOwned):
    """What a person has set, free in shape and bounded in size."""

    data = models.JSONField(default=dict)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "user_preferences"
        verbose_name_plural = "user preferences"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user"], name="user_preferences_one_each"),
            models.CheckConstraint(
                condition=Exact(
                    Func(F("data"), function="jsonb_typeof", output_field=models.TextField()), Value("object")
                ),
                name="user_preferences_object",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Func(F("data"), template="octet_length(%(expressions)s::text)", output_field=models.IntegerField()),
                    Value(PREFERENCES_BYTES),
                ),
                name="user_preferences_size",
            ),
            CompositeReference(
                name="user_preferences_user", columns=["user_id"], to="accounts.User", to_columns=["id"]
            ),
            RowSecurity(name="user_preferences_walls"),
            Privileges(
                name="user_preferences_for_user",
                role=USER,
                verbs={"SELECT": None, "INSERT": None, "UPDATE": ("data", "revision", "updated_at"), "DELETE": None},
            ),
            Privileges(
                name="user_preferences_for_support",
                role=SUPPORT,
                verbs={"SELECT": ("id", "user_id", "revision", "created_at", "updated_at")},
            ),
            Privileges(name="user_preferences_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id")}),
        ]


class AccessGrant(UserOwned):
    """Leave for one member of staff to read one person's content: asked, decided by another, ended by time or hand.

    That it moves forward only, whatever the statement, is kept by a trigger: see migrations/0003.
    """

    requested_by = models.UUIDField()
    reason = models.TextField()
    ticket = models.CharField(max_length=200)
    requested_at = models.DateTimeField(db_default=Now())
    duration = models.DurationField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    approved = models.BooleanField(null=True)
    sole = models.BooleanField(default=False)  # decided by who asked, in a team of one
    expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.UUIDField(null=True)

    class Meta:
        db_table = "access_grants"
        indexes: ClassVar = [
            models.Index(fields=["user", "-requested_at"], name="access_grants_of_person"),
            models.Index(fields=["requested_by", "-requested_at"], name="access_grants_of_staff"),
            models.Index(fields=["-requested_at"], name="access_grants_newest"),
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
    """How far the primary's log had come after a person's last change, in bytes: see vibe.db.replica.

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


class ApiKey(models.Model):
    """A key that a server of the operator calls the API with, for the persons it names or for one alone.

    It is nobody's row: most keys have no person. Kept is only its digest; signing in sees the one key it shows.
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

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="api_keys_newest"),
            models.Index(fields=["person"], name="api_keys_of_person", condition=Q(person__isnull=False)),
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
            CompositeReference(name="api_keys_person", columns=["person"], to="accounts.User", to_columns=["id"]),
            RowSecurity(
                name="api_keys_walls",
                owner="person",
                others=[(SUPPORT, "true"), (SYSTEM, "true"), (SIGN_IN, KEY_SHOWN)],
            ),
            Privileges(name="api_keys_for_user", role=USER, verbs={"SELECT": KEYS_SHOWN}),
            Privileges(name="api_keys_for_sign_in", role=SIGN_IN, verbs={"SELECT": None, "UPDATE": ("last_used_at",)}),
            Privileges(
                name="api_keys_for_support", role=SUPPORT, verbs={"SELECT": KEYS_SHOWN, "UPDATE": ("revoked_at",)}
            ),
            Privileges(
                name="api_keys_for_system",
                role=SYSTEM,
                verbs={"SELECT": KEYS_SHOWN, "INSERT": None, "UPDATE": ("revoked_at",)},
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class RateLimit(models.Model):
    """One bucket of requests: see vibe.apikit.limits. Nothing to keep: the table is not logged, empty after a crash.

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
