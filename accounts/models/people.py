"""Accounts of people and staff, and people's preferences."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group, PermissionsMixin
from django.contrib.postgres.indexes import OpClass
from django.db import IntegrityError, models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact, LessThanOrEqual

from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.fields import WrappedField
from vibe.core.db.roles import SIGN_IN, STAFF, SUPPORT, SYSTEM, USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import UserOwned, uuid7
from vibe.core.db.scopes import as_staff
from vibe.core.errors import InputError

PROFILE = (
    *("id", "firebase_uid", "email", "email_verified", "is_active", "is_staff", "created_at", "updated_at"),
    "restricted_at",
)
SIGNED_IN = ("last_login", "tokens_valid_since")
STANDING = (*PROFILE, *SIGNED_IN, "is_superuser")
SIGNING_IN = "firebase_uid = nullif(current_setting('vibe.firebase_uid', true), '')"
PREFERENCES_BYTES = 65_536


class UserManager(BaseUserManager["User"]):
    """Manager of accounts. It creates staff; `accounts.people.services.people` creates people."""

    def create_user(self, email: str, password: str | None = None, *, role: str = "", **fields: Any) -> User:
        """Create a member of staff who signs in with email and password. `role` is a name of accounts.staff.groups.

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
        """Create a member of staff with every permission in the admin."""
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Read a member of staff by email, ignoring case. Raises DoesNotExist; the transaction stays usable."""
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
    tokens_valid_since = models.DateTimeField(null=True, editable=False)  # tokens of earlier sign-ins are revoked
    restricted_at = models.DateTimeField("processing restricted", null=True, editable=False)  # GDPR, article 18
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        permissions: ClassVar = [("see_health", "Can see the health of the database")]  # belongs to no table
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="users_newest"),
            models.Index(OpClass(Lower("email"), "text_pattern_ops"), name="users_email_beginning"),
            models.Index(fields=["id"], name="users_staff", condition=Q(is_staff=True)),
            models.Index(fields=["id"], name="users_restricted", condition=Q(restricted_at__isnull=False)),
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
                verbs={
                    "SELECT": STANDING,
                    "UPDATE": ("is_active", "restricted_at", "last_login", "tokens_valid_since", "updated_at"),
                },
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


class UserPreferences(UserOwned):
    """Preferences of a person: any JSON object of bounded size."""

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
